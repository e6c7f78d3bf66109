// A stub for tests, not TFLM: see README.md of this folder.
#pragma once

#include "tensorflow/lite/micro/stub_common.h"

TFLM_STUB_BEGIN

class MicroOpResolver {
 public:
  virtual unsigned int stub_operators() const = 0;
  virtual ~MicroOpResolver() {}
};

}  // namespace tflite
