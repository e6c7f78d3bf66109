// SPDX-License-Identifier: Apache-2.0
// The integer that the policy compares in place of a variant's score (runtime/SPEC.md, section 4).
#ifndef TFELASTIC_SCORE_H_
#define TFELASTIC_SCORE_H_

#include <cstdint>
#include <cstring>

namespace tfelastic {

// The bits of the nearest float32, in the order of the scores; a better score has the larger integer.
inline std::int32_t ScoreOrder(double score, bool higher_is_better) {
  // From halfway between the largest float32 and 2^128 on, the nearest is infinity; C++ leaves the
  // conversion of such numbers open.
  constexpr double kBeyond = 0x1.ffffffp127;
  constexpr std::int32_t kInfinity = 0x7f800000;
  std::int32_t order;
  if (score >= kBeyond || score <= -kBeyond) {
    order = score > 0 ? kInfinity : -kInfinity;
  } else {
    const float nearest = static_cast<float>(score);
    std::uint32_t bits;
    std::memcpy(&bits, &nearest, sizeof(bits));
    // The bits are sign and magnitude: those of negative numbers would rise with the magnitude.
    const auto magnitude = static_cast<std::int32_t>(bits & 0x7fffffffu);
    order = bits >> 31 == 0 ? magnitude : -magnitude;
  }
  return higher_is_better ? order : -order;
}

}  // namespace tfelastic

#endif  // TFELASTIC_SCORE_H_
