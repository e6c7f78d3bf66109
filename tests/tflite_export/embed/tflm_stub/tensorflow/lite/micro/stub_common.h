// A stub for tests, not TFLM: see README.md of this folder.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#ifdef TFLM_STUB_NAMESPACE
#define TFLM_STUB_C_BEGIN namespace tflite::micro {
#define TFLM_STUB_C_END }
#define TFLM_STUB_BEGIN namespace tflite::micro {
#else
#define TFLM_STUB_C_BEGIN
#define TFLM_STUB_C_END
#define TFLM_STUB_BEGIN namespace tflite {
#endif

TFLM_STUB_C_BEGIN

enum TfLiteStatus { kTfLiteOk = 0, kTfLiteError = 1 };
enum TfLiteType {
  kTfLiteFloat32 = 1,
  kTfLiteInt32 = 2,
  kTfLiteUInt8 = 3,
  kTfLiteInt16 = 7,
  kTfLiteInt8 = 9
};

union TfLitePtrUnion {
  float* f;
  char* raw;
  std::int8_t* int8;
};

struct TfLiteQuantizationParams {
  float scale;
  std::int32_t zero_point;
};

struct TfLiteTensor {
  TfLitePtrUnion data;
  std::size_t bytes;
  TfLiteType type;
  TfLiteQuantizationParams params;
};

struct TFLMRegistration {
  bool int8_only;
};

TFLM_STUB_C_END
