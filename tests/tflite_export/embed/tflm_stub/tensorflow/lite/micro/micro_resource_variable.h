// A stub for tests, not TFLM: see README.md of this folder.
#pragma once

#include "tensorflow/lite/micro/stub_common.h"

TFLM_STUB_BEGIN

class MicroResourceVariables;

}  // namespace tflite
