// SPDX-License-Identifier: Apache-2.0
// What an input or output is made of: its shape and meaning, and how a variant stores it.
#ifndef TFELASTIC_TENSOR_H_
#define TFELASTIC_TENSOR_H_

#include <cstddef>
#include <cstdint>

#include "tfelastic/limits.h"

namespace tfelastic {

enum class DType : std::uint8_t { kInt8, kUint8, kInt16, kInt32, kFloat32 };

constexpr std::size_t ItemBytes(DType dtype) {
  return dtype == DType::kInt8 || dtype == DType::kUint8 ? 1 : dtype == DType::kInt16 ? 2 : 4;
}

// The first size is 1.
struct Shape {
  std::uint8_t rank;
  std::int32_t sizes[kRankMax];

  std::size_t Elements() const {
    std::size_t count = 1;
    for (std::size_t axis = 0; axis < rank; ++axis) count *= static_cast<std::size_t>(sizes[axis]);
    return count;
  }
};

enum class InputKind : std::uint8_t {
  kImage,   // Raw pixels 0 .. 255 in NHWC, uint8.
  kValues,  // Real numbers.
};

enum class OutputKind : std::uint8_t { kLogits, kProbabilities, kValues };

// How a variant stores an input or output: real = (stored - zero_point) * scale.
struct TensorSpec {
  std::uint8_t position;  // Which of the .tflite's own inputs, or outputs, it is, from 0.
  DType dtype;
  float scale;
  std::int32_t zero_point;
};

}  // namespace tfelastic

#endif  // TFELASTIC_TENSOR_H_
