// SPDX-License-Identifier: Apache-2.0
// From decimal digits to the nearest double, the same on every machine.
//
// The standard library's own ways depend on the locale, allocate, or are missing from some
// toolchains. A manifest has a few dozen numbers, so this one is plain rather than fast: the decimal
// is doubled or halved, digit by digit, until its leading 53 bits stand before the point.
#ifndef TFELASTIC_DECIMAL_H_
#define TFELASTIC_DECIMAL_H_

#include <cstddef>
#include <cstdint>

namespace tfelastic {
namespace internal {

// 0.d1 d2 d3 ... x 10^point, with as many digits as a double's neighbours can differ in.
class Decimal {
 public:
  // Reads a number in JSON's grammar, which the caller has checked.
  Decimal(const char* at, const char* end) {
    negative_ = at != end && *at == '-';
    if (negative_) ++at;
    bool fraction = false;
    for (; at != end && *at != 'e' && *at != 'E'; ++at) {
      if (*at == '.') {
        fraction = true;
      } else {
        Append(static_cast<std::uint8_t>(*at - '0'), fraction);
      }
    }
    if (at != end) point_ += Exponent(at + 1, end);
    Trim();
  }

  // The nearest double, ties to even. Infinity where the number is beyond a double's range.
  double Nearest() {
    if (count_ == 0 || point_ < -330) return negative_ ? -0.0 : 0.0;
    if (point_ > 310) return Signed(Power(1024));
    // Scale into 1/2 .. 1, so that the number is that times 2^exponent.
    int exponent = 0;
    for (; point_ > 0; ++exponent) Halve();
    for (; point_ < 0 || digits_[0] < 5; --exponent) Double();
    // A subnormal number has fewer bits; a step below the last one rounds to it or to zero.
    const int bits = exponent < -1021 ? 53 - (-1021 - exponent) : 53;
    if (bits < 0) return negative_ ? -0.0 : 0.0;
    std::uint64_t mantissa = 0;
    for (int i = 0; i < bits; ++i) {
      Double();
      mantissa = 2 * mantissa + TakeWhole();
    }
    const int rest = CompareToHalf();
    if (rest > 0 || (rest == 0 && mantissa % 2 == 1)) ++mantissa;
    return Signed(static_cast<double>(mantissa) * Power(exponent - bits));
  }

 private:
  static constexpr std::size_t kDigits = 800;
  static constexpr int kFar = 100000;

  void Append(std::uint8_t digit, bool fraction) {
    if (count_ == 0 && digit == 0) {
      if (fraction && point_ > -kFar) --point_;
      return;
    }
    if (!fraction && point_ < kFar) ++point_;
    if (count_ < kDigits) {
      digits_[count_++] = digit;
    } else if (digit != 0) {
      Mark();
    }
  }

  // What was cut off was not zero: enough to know, as no tie depends on so late a digit.
  void Mark() {
    if (digits_[kDigits - 1] % 5 == 0) ++digits_[kDigits - 1];
  }

  static int Exponent(const char* at, const char* end) {
    const bool negative = *at == '-';
    if (*at == '-' || *at == '+') ++at;
    int value = 0;
    for (; at != end; ++at) {
      if (value < kFar) value = 10 * value + (*at - '0');
    }
    return negative ? -value : value;
  }

  void Trim() {
    while (count_ > 0 && digits_[count_ - 1] == 0) --count_;
  }

  void Double() {
    unsigned carry = 0;
    for (std::size_t i = count_; i-- > 0;) {
      const unsigned value = 2u * digits_[i] + carry;
      digits_[i] = static_cast<std::uint8_t>(value % 10);
      carry = value / 10;
    }
    if (carry != 0) Prepend();
    Trim();
  }

  // Makes room for a leading 1.
  void Prepend() {
    const std::uint8_t last = digits_[kDigits - 1];
    const bool full = count_ == kDigits;
    if (!full) ++count_;
    for (std::size_t i = count_ - 1; i > 0; --i) digits_[i] = digits_[i - 1];
    digits_[0] = 1;
    ++point_;
    if (full && last != 0) Mark();
  }

  void Halve() {
    unsigned remainder = 0;
    for (std::size_t i = 0; i < count_; ++i) {
      const unsigned value = 10 * remainder + digits_[i];
      digits_[i] = static_cast<std::uint8_t>(value / 2);
      remainder = value % 2;
    }
    if (remainder != 0) {
      if (count_ < kDigits) {
        digits_[count_++] = 5;
      } else {
        Mark();
      }
    }
    if (digits_[0] == 0) {
      for (std::size_t i = 1; i < count_; ++i) digits_[i - 1] = digits_[i];
      --count_;
      --point_;
    }
    Trim();
  }

  // Takes away the digit before the point, 0 or 1, and returns it.
  std::uint64_t TakeWhole() {
    if (point_ < 1) return 0;
    for (std::size_t i = 1; i < count_; ++i) digits_[i - 1] = digits_[i];
    --count_;
    --point_;
    while (count_ > 0 && digits_[0] == 0) {
      for (std::size_t i = 1; i < count_; ++i) digits_[i - 1] = digits_[i];
      --count_;
      --point_;
    }
    return 1;
  }

  // Whether what is left, below 1, is less than, equal to or greater than a half.
  int CompareToHalf() const {
    if (count_ == 0 || point_ < 0 || digits_[0] < 5) return -1;
    return digits_[0] > 5 || count_ > 1 ? 1 : 0;
  }

  // 2^exponent as exact steps; beyond the range, infinity or zero.
  static double Power(int exponent) {
    double value = 1;
    for (; exponent > 0; --exponent) value *= 2;
    for (; exponent < 0; ++exponent) value /= 2;
    return value;
  }

  double Signed(double value) const { return negative_ ? -value : value; }

  std::uint8_t digits_[kDigits];
  std::size_t count_ = 0;
  int point_ = 0;
  bool negative_ = false;
};

}  // namespace internal
}  // namespace tfelastic

#endif  // TFELASTIC_DECIMAL_H_
