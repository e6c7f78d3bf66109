// A stub for tests, not TFLM: see README.md of this folder.
#pragma once

#include "tensorflow/lite/micro/kernels/stub_kernels.h"
#include "tensorflow/lite/micro/micro_op_resolver.h"

TFLM_STUB_BEGIN

// Refuses, as TFLM's does, more operators than it was made for.
template <unsigned int tOpCount>
class MicroMutableOpResolver : public MicroOpResolver {
 public:
  TfLiteStatus AddAdd(const TFLMRegistration& = Register_ADD()) { return Added(); }
  TfLiteStatus AddArgMax() { return Added(); }
  TfLiteStatus AddAveragePool2D(const TFLMRegistration& = Register_AVERAGE_POOL_2D()) { return Added(); }
  TfLiteStatus AddConcatenation() { return Added(); }
  TfLiteStatus AddConv2D(const TFLMRegistration& = Register_CONV_2D()) { return Added(); }
  TfLiteStatus AddDepthwiseConv2D(const TFLMRegistration& = Register_DEPTHWISE_CONV_2D()) { return Added(); }
  TfLiteStatus AddDequantize() { return Added(); }
  TfLiteStatus AddFullyConnected(const TFLMRegistration& = Register_FULLY_CONNECTED()) { return Added(); }
  TfLiteStatus AddMean() { return Added(); }
  TfLiteStatus AddMul(const TFLMRegistration& = Register_MUL()) { return Added(); }
  TfLiteStatus AddPadV2() { return Added(); }
  TfLiteStatus AddQuantize() { return Added(); }
  TfLiteStatus AddReshape() { return Added(); }
  TfLiteStatus AddSoftmax(const TFLMRegistration& = Register_SOFTMAX()) { return Added(); }

  unsigned int stub_operators() const override { return added_; }

 private:
  TfLiteStatus Added() { return added_++ < tOpCount ? kTfLiteOk : kTfLiteError; }

  unsigned int added_ = 0;
};

}  // namespace tflite
