// A stub for tests, not TFLM: see README.md of this folder.
#pragma once

enum TfLiteStatus { kTfLiteOk = 0, kTfLiteError = 1 };

namespace tflite {

class MicroOpResolver {};

// Refuses, as TFLM's does, more operators than it was made for.
template <unsigned int kOperators>
class MicroMutableOpResolver : public MicroOpResolver {
 public:
  TfLiteStatus AddAdd() { return Added(); }
  TfLiteStatus AddAveragePool2D() { return Added(); }
  TfLiteStatus AddConv2D() { return Added(); }
  TfLiteStatus AddDepthwiseConv2D() { return Added(); }
  TfLiteStatus AddFullyConnected() { return Added(); }
  TfLiteStatus AddMean() { return Added(); }
  TfLiteStatus AddPadV2() { return Added(); }
  TfLiteStatus AddReshape() { return Added(); }
  TfLiteStatus AddSoftmax() { return Added(); }

 private:
  TfLiteStatus Added() { return added_++ < kOperators ? kTfLiteOk : kTfLiteError; }

  unsigned int added_ = 0;
};

}  // namespace tflite
