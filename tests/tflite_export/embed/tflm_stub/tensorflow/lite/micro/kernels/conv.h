// A stub for tests, not TFLM: see README.md.
#pragma once

#include "tensorflow/lite/micro/kernels/stub_kernels.h"
