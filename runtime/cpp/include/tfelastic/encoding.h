// SPDX-License-Identifier: Apache-2.0
// From pixels and real numbers to a variant's inputs, and from its outputs to real numbers
// (runtime/SPEC.md, section 3). Each step is one operation of single precision, so that every machine
// agrees to the last bit.
#ifndef TFELASTIC_ENCODING_H_
#define TFELASTIC_ENCODING_H_

#include <cfloat>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "tfelastic/status.h"
#include "tfelastic/tensor.h"

namespace tfelastic {

#if defined(__FAST_MATH__)
#error "tfelastic rounds as IEEE 754 says: compile what includes encoding.h without -ffast-math"
#endif
static_assert(FLT_EVAL_METHOD == 0, "tfelastic needs single precision that is not evaluated in wider");

namespace internal {

// From 2^23 on every float32 is an integer: adding that rounds to one, ties to even, and taking it away
// again is exact.
inline float Rounded(float value) {
  constexpr float kInteger = 0x1p23f;
  if (value >= kInteger || value <= -kInteger) return value;
  return value < 0 ? (value - kInteger) + kInteger : (value + kInteger) - kInteger;
}

// round(real / scale) + zero_point, clipped to what the type holds.
template <typename Stored>
Stored Quantized(float real, const TensorSpec& spec, std::int64_t lowest, std::int64_t highest) {
  const float scaled = real / spec.scale;
  // Compared before it is converted: C++ leaves open what becomes of numbers beyond the type. Both
  // bounds are integers, so clipping before rounding is the same as after it.
  const std::int64_t low = lowest - spec.zero_point, high = highest - spec.zero_point;
  if (scaled <= static_cast<float>(low)) return static_cast<Stored>(lowest);
  if (scaled >= static_cast<float>(high)) return static_cast<Stored>(highest);
  return static_cast<Stored>(static_cast<std::int64_t>(Rounded(scaled)) + spec.zero_point);
}

inline void EncodeOne(float real, const TensorSpec& spec, std::uint8_t* at) {
  std::int32_t stored = 0;
  switch (spec.dtype) {
    case DType::kInt8:
      stored = Quantized<std::int8_t>(real, spec, INT8_MIN, INT8_MAX);
      break;
    case DType::kUint8:
      stored = Quantized<std::uint8_t>(real, spec, 0, UINT8_MAX);
      break;
    case DType::kInt16:
      stored = Quantized<std::int16_t>(real, spec, INT16_MIN, INT16_MAX);
      break;
    case DType::kInt32:
      stored = Quantized<std::int32_t>(real, spec, INT32_MIN, INT32_MAX);
      break;
    case DType::kFloat32:
      std::memcpy(&stored, &real, sizeof(real));
      break;
  }
  // Little-endian, as delta.h makes sure: the low bytes come first.
  std::memcpy(at, &stored, ItemBytes(spec.dtype));
}

// What is stored, as a float32.
inline float Widened(const std::uint8_t* at, DType dtype) {
  switch (dtype) {
    case DType::kInt8:
      return static_cast<float>(static_cast<std::int8_t>(*at));
    case DType::kUint8:
      return static_cast<float>(*at);
    case DType::kInt16: {
      std::int16_t stored;
      std::memcpy(&stored, at, sizeof(stored));
      return static_cast<float>(stored);
    }
    case DType::kInt32: {
      std::int32_t stored;
      std::memcpy(&stored, at, sizeof(stored));
      return static_cast<float>(stored);
    }
    case DType::kFloat32:
      break;
  }
  float stored;
  std::memcpy(&stored, at, sizeof(stored));
  return stored;
}

}  // namespace internal

// Writes an image of `count` raw pixels to a variant's input tensor.
inline void Encode(const std::uint8_t* pixels, std::size_t count, const TensorSpec& spec,
                   void* input) {
  auto* at = static_cast<std::uint8_t*>(input);
  if (spec.scale == 1 && spec.zero_point == 0 && spec.dtype == DType::kUint8) {
    std::memcpy(at, pixels, count);
  } else if (spec.scale == 1 && spec.zero_point == -128 && spec.dtype == DType::kInt8) {
    // Flipping the top bit subtracts 128 in two's complement.
    for (std::size_t i = 0; i < count; ++i) at[i] = pixels[i] ^ 0x80u;
  } else {
    for (std::size_t i = 0; i < count; ++i, at += ItemBytes(spec.dtype)) {
      internal::EncodeOne(static_cast<float>(pixels[i]), spec, at);
    }
  }
}

// Writes `count` real numbers to a variant's input tensor; kNotFinite where one is NaN or infinite.
inline Status Encode(const float* values, std::size_t count, const TensorSpec& spec, void* input) {
  auto* at = static_cast<std::uint8_t*>(input);
  for (std::size_t i = 0; i < count; ++i, at += ItemBytes(spec.dtype)) {
    if (!(values[i] >= -FLT_MAX && values[i] <= FLT_MAX)) return Status::kNotFinite;
    internal::EncodeOne(values[i], spec, at);
  }
  return Status::kOk;
}

// Reads `count` real numbers from a variant's output tensor.
inline void Decode(const void* output, std::size_t count, const TensorSpec& spec, float* values) {
  const auto* at = static_cast<const std::uint8_t*>(output);
  for (std::size_t i = 0; i < count; ++i, at += ItemBytes(spec.dtype)) {
    values[i] = internal::Widened(at, spec.dtype);
    if (spec.dtype == DType::kFloat32) continue;
    values[i] = (values[i] - static_cast<float>(spec.zero_point)) * spec.scale;
  }
}

}  // namespace tfelastic

#endif  // TFELASTIC_ENCODING_H_
