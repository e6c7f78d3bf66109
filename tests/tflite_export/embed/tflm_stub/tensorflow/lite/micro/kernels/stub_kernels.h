// A stub for tests, not TFLM: see README.md of this folder.
#pragma once

#include "tensorflow/lite/micro/stub_common.h"

TFLM_STUB_BEGIN

#define TFLM_STUB_KERNEL(NAME)                                       \
  inline TFLMRegistration Register_##NAME() { return {false}; }      \
  inline TFLMRegistration Register_##NAME##_INT8() { return {true}; }

TFLM_STUB_KERNEL(ADD)
TFLM_STUB_KERNEL(AVERAGE_POOL_2D)
TFLM_STUB_KERNEL(CONV_2D)
TFLM_STUB_KERNEL(DEPTHWISE_CONV_2D)
TFLM_STUB_KERNEL(FULLY_CONNECTED)
TFLM_STUB_KERNEL(MUL)
TFLM_STUB_KERNEL(SOFTMAX)

}  // namespace tflite
