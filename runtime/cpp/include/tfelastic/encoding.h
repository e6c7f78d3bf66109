// From raw pixels to a variant's input, and from its output to real numbers (runtime/SPEC.md,
// section 3).
#ifndef TFELASTIC_ENCODING_H_
#define TFELASTIC_ENCODING_H_

#include <cstddef>
#include <cstdint>

namespace tfelastic {

// An int8 variant takes pixel - 128, a float32 one the pixel itself.
inline void Encode(const std::uint8_t* pixels, std::size_t count, std::int8_t* input) {
  for (std::size_t i = 0; i < count; ++i) input[i] = static_cast<std::int8_t>(pixels[i] - 128);
}

inline void Encode(const std::uint8_t* pixels, std::size_t count, float* input) {
  for (std::size_t i = 0; i < count; ++i) input[i] = static_cast<float>(pixels[i]);
}

// One subtraction, one product, each rounded to single precision.
inline float Decode(std::int8_t stored, float scale, std::int32_t zero_point) {
  return (static_cast<float>(stored) - static_cast<float>(zero_point)) * scale;
}

}  // namespace tfelastic

#endif  // TFELASTIC_ENCODING_H_
