// A stub for tests, not TFLM: see README.md of this folder.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "tensorflow/lite/micro/micro_mutable_op_resolver.h"
#include "tensorflow/lite/schema/schema_generated.h"

enum TfLiteType { kTfLiteFloat32 = 1, kTfLiteInt8 = 9 };

union TfLitePtrUnion {
  float* f;
  char* raw;
  std::int8_t* int8;
};

struct TfLiteTensor {
  TfLiteType type;
  TfLitePtrUnion data;
  std::size_t bytes;
};

namespace tflite {

class MicroInterpreter {
 public:
  MicroInterpreter(const Model* model, const MicroOpResolver&, std::uint8_t* arena, std::size_t)
      : model_(model) {
    tensor_.type = kTfLiteInt8;
    tensor_.data.raw = reinterpret_cast<char*>(arena);
    tensor_.bytes = 64;
  }

  // Fails unless the model is a .tflite at a multiple of 16 bytes.
  TfLiteStatus AllocateTensors() {
    const char* bytes = reinterpret_cast<const char*>(model_);
    const bool aligned = reinterpret_cast<std::uintptr_t>(model_) % 16 == 0;
    return aligned && std::memcmp(bytes + 4, "TFL3", 4) == 0 ? kTfLiteOk : kTfLiteError;
  }
  TfLiteStatus Invoke() { return kTfLiteOk; }
  TfLiteTensor* input(std::size_t) { return &tensor_; }
  TfLiteTensor* output(std::size_t) { return &tensor_; }
  std::size_t arena_used_bytes() const { return 0; }

 private:
  const Model* model_;
  TfLiteTensor tensor_;
};

}  // namespace tflite
