// SPDX-License-Identifier: Apache-2.0
// Expanding a variant: its delta's instructions, carried out on the payload (FORMAT.md, "Deltas").
//
// Nothing here knows what a .tflite is, and nothing in a delta is trusted: each instruction is checked
// before it is carried out, so work is bounded by the output's size.
#ifndef TFELASTIC_DELTA_H_
#define TFELASTIC_DELTA_H_

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "tfelastic/bytes.h"
#include "tfelastic/status.h"

namespace tfelastic {

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "tfelastic reads float32 as it lies in the file: it needs a little-endian machine"
#endif
static_assert(sizeof(float) == 4, "tfelastic needs IEEE 754 single precision");

namespace internal {

// A gather as it was read: nested loops over rows, and the spans of bytes that make a row.
struct Gather {
  static constexpr std::uint32_t kLoopsMax = 3, kSpansMax = 64;
  struct Loop {
    std::uint64_t count, stride;
  };
  struct Span {
    std::size_t begin;  // In bytes, from the row's start.
    std::size_t length;
  };

  std::uint64_t start;
  std::uint32_t loop_count, span_count;
  Loop loops[kLoopsMax];
  Span spans[kSpansMax];
  std::uint64_t row_bytes;
  std::uint64_t end;  // One past the last byte that it reads.
};

class Expansion {
 public:
  Expansion(Bytes delta, Bytes payload, std::uint8_t* output, std::size_t size)
      : delta_(delta), payload_(payload), output_(output), left_(size) {}

  Status Execute() {
    while (delta_.size > 0) {
      std::uint32_t token;
      if (!Number(&token) || !Instruction(token & 3, token >> 2)) return Status::kDelta;
    }
    return left_ == 0 ? Status::kOk : Status::kDelta;
  }

 private:
  // A gather's factors: none, one per step of the outermost loop, one per element of a row.
  static constexpr std::uint32_t kPlain = 0, kPerRow = 1, kPerElement = 2;
  // Elements that are multiplied together, for machines with vector registers.
  static constexpr std::size_t kLanes = 4;

  bool Instruction(std::uint32_t kind, std::uint32_t count) {
    switch (kind) {
      case 0:
        return Add(count);
      case 1:
        return Copy(count);
      case 2:
        return Run(count);
      default:
        return Gathered(count);
    }
  }

  bool Add(std::uint32_t count) {
    if (count > delta_.size || !Fits(count)) return false;
    Write(delta_.data, count);
    delta_ = delta_.Sub(count, delta_.size - count);
    return true;
  }

  bool Copy(std::uint32_t count) {
    std::uint64_t start;
    if (!Address(&start) || !Within(start, count) || !Fits(count)) return false;
    Write(payload_.data + start, count);
    source_ = start + count;
    return true;
  }

  bool Run(std::uint32_t count) {
    if (delta_.size < 1 || !Fits(count)) return false;
    std::memset(output_, delta_.data[0], count);
    delta_ = delta_.Sub(1, delta_.size - 1);
    Advance(count);
    return true;
  }

  bool Gathered(std::uint32_t kind) {
    Gather gather;
    if (!Address(&gather.start) || !ReadLoops(&gather) || !ReadSpans(&gather)) return false;
    std::uint64_t total = gather.row_bytes;
    for (std::uint32_t i = 0; i < gather.loop_count; ++i) {
      // Compared before it is multiplied: the product of hostile counts has more than 64 bits.
      if (gather.loops[i].count > left_ / total) return false;
      total *= gather.loops[i].count;
    }
    const std::uint8_t* factors = nullptr;
    if (!Fits(total) || (kind != kPlain && !ReadFactors(kind, gather, &factors))) return false;
    source_ = gather.end;
    Rows(gather, kind, factors);
    left_ -= static_cast<std::size_t>(total);
    return true;
  }

  void Rows(const Gather& gather, std::uint32_t kind, const std::uint8_t* factors) {
    using From = const std::uint8_t*;
    using To = std::uint8_t*;
    using Size = std::size_t;
    if (kind == kPerRow) {
      EachSpan(gather, 4, [=](From from, To to, Size count, Size factor, Size) {
        ScaleSpan<0>(from, factors + factor, to, count);
      });
    } else if (kind == kPerElement) {
      EachSpan(gather, 0, [=](From from, To to, Size count, Size, Size within) {
        ScaleSpan<4>(from, factors + within, to, count);
      });
    } else {
      EachSpan(gather, 0,
              [](From from, To to, Size count, Size, Size) { CopySpan(from, to, count); });
    }
  }

  // Calls `append` for each span: from where, to where, how many bytes, how far the outermost loop's
  // steps of `factor_step` bytes have gone, and how many bytes of the row were written before.
  template <typename Append>
  void EachSpan(const Gather& gather, std::size_t factor_step, Append append) {
    // Copies in registers: through the members, each byte written might have changed them.
    std::uint8_t* output = output_;
    if (gather.span_count == 1) {
      // Nearly every gather of a kernel is one of these.
      const Gather::Span only = gather.spans[0];
      EachRow(gather, factor_step, [&](const std::uint8_t* row, std::size_t factor) {
        append(row + only.begin, output, only.length, factor, 0);
        output += only.length;
      });
    } else {
      EachRow(gather, factor_step, [&](const std::uint8_t* row, std::size_t factor) {
        std::size_t within = 0;
        for (std::uint32_t i = 0; i < gather.span_count; ++i) {
          const Gather::Span span = gather.spans[i];
          append(row + span.begin, output + within, span.length, factor, within);
          within += span.length;
        }
        output += within;
      });
    }
    output_ = output;
  }

  // Calls `append` with each row's start and how far the outermost loop's steps, `factor_step` bytes
  // each, have gone.
  template <typename Append>
  void EachRow(const Gather& gather, std::size_t factor_step, Append append) const {
    std::size_t counts[Gather::kLoopsMax] = {1, 1, 1}, strides[Gather::kLoopsMax] = {};
    std::size_t steps[Gather::kLoopsMax] = {};
    // Loops that are lacking lie outside, where they cost nothing.
    const std::uint32_t outermost = Gather::kLoopsMax - gather.loop_count;
    for (std::uint32_t i = 0; i < gather.loop_count; ++i) {
      counts[outermost + i] = static_cast<std::size_t>(gather.loops[i].count);
      strides[outermost + i] = static_cast<std::size_t>(gather.loops[i].stride);
    }
    if (gather.loop_count > 0) steps[outermost] = factor_step;
    const std::uint8_t* start = payload_.data + gather.start;
    for (std::size_t i = 0; i < counts[0]; ++i) {
      for (std::size_t j = 0; j < counts[1]; ++j) {
        const std::uint8_t* rows = start + i * strides[0] + j * strides[1];
        const std::size_t factor = i * steps[0] + j * steps[1];
        for (std::size_t k = 0; k < counts[2]; ++k) {
          append(rows + k * strides[2], factor + k * steps[2]);
        }
      }
    }
  }

  // As memcpy, without its call for the short spans that kernels are made of.
  static void CopySpan(const std::uint8_t* from, std::uint8_t* to, std::size_t count) {
    constexpr std::size_t kStep = 16, kLong = 256;
    if (count < kStep || count > kLong) {
      std::memcpy(to, from, count);
      return;
    }
    for (std::size_t i = 0; i + kStep < count; i += kStep) std::memcpy(to + i, from + i, kStep);
    // The last step may overlap the one before it.
    std::memcpy(to + count - kStep, from + count - kStep, kStep);
  }

  // Writes float32 elements times factors that lie `kFactorStep` bytes apart, 0 or 4. One
  // multiplication in single precision each, so that every machine agrees to the last bit.
  template <std::size_t kFactorStep>
  static void ScaleSpan(const std::uint8_t* from, const std::uint8_t* factors, std::uint8_t* to,
                       std::size_t count) {
    float scales[kLanes];
    for (std::size_t i = 0; i < kLanes; ++i) std::memcpy(&scales[i], factors, 4);
    std::size_t at = 0;
    for (; at + sizeof(scales) <= count; at += sizeof(scales)) {
      if (kFactorStep != 0) std::memcpy(scales, factors + at, sizeof(scales));
      float elements[kLanes];
      std::memcpy(elements, from + at, sizeof(elements));
      for (std::size_t i = 0; i < kLanes; ++i) elements[i] *= scales[i];
      std::memcpy(to + at, elements, sizeof(elements));
    }
    for (; at < count; at += 4) {
      float element;
      if (kFactorStep != 0) std::memcpy(scales, factors + at, 4);
      std::memcpy(&element, from + at, 4);
      element *= scales[0];
      std::memcpy(to + at, &element, 4);
    }
  }

  bool ReadLoops(Gather* gather) {
    if (!Number(&gather->loop_count) || gather->loop_count > Gather::kLoopsMax) return false;
    for (std::uint32_t i = 0; i < gather->loop_count; ++i) {
      std::uint32_t count, stride;
      if (!Positive(&count) || !Number(&stride)) return false;
      gather->loops[i] = {count, stride};
    }
    return true;
  }

  // Reads the spans, and checks that all the gather reads lies in the payload.
  bool ReadSpans(Gather* gather) {
    if (!Positive(&gather->span_count) || gather->span_count > Gather::kSpansMax) return false;
    std::uint64_t end = 0;  // Below 2^39: 64 spans of two numbers of 32 bits.
    gather->row_bytes = 0;
    for (std::uint32_t i = 0; i < gather->span_count; ++i) {
      std::uint32_t skip, length;
      if (!Number(&skip) || !Positive(&length)) return false;
      gather->spans[i] = {static_cast<std::size_t>(end + skip), length};
      end += std::uint64_t{skip} + length;
      gather->row_bytes += length;
    }
    for (std::uint32_t i = 0; i < gather->loop_count; ++i) {
      if (end > payload_.size) return false;  // So the next sum stays below 2^64.
      end += (gather->loops[i].count - 1) * gather->loops[i].stride;
    }
    gather->end = gather->start + end;
    return Within(gather->start, end);
  }

  bool ReadFactors(std::uint32_t kind, const Gather& gather, const std::uint8_t** factors) {
    if (kind > kPerElement || (kind == kPerRow && gather.loop_count == 0)) return false;
    for (std::uint32_t i = 0; i < gather.span_count; ++i) {
      if (gather.spans[i].length % 4 != 0) return false;
    }
    const std::uint64_t bytes = kind == kPerRow ? 4 * gather.loops[0].count : gather.row_bytes;
    std::uint32_t address;
    if (!Number(&address) || !Within(address, bytes)) return false;
    *factors = payload_.data + address;
    return true;
  }

  // Whether the output has room for so many bytes, at least one.
  bool Fits(std::uint64_t count) const { return count >= 1 && count <= left_; }

  // Whether the payload has these bytes.
  bool Within(std::uint64_t start, std::uint64_t count) const {
    return start <= payload_.size && count <= payload_.size - start;
  }

  void Write(const std::uint8_t* from, std::size_t count) {
    std::memcpy(output_, from, count);
    Advance(count);
  }

  void Advance(std::size_t count) {
    output_ += count;
    left_ -= count;
  }

  // Unsigned LEB128, at most 5 bytes, below 2^32.
  bool Number(std::uint32_t* number) {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < 5 && i < delta_.size; ++i) {
      const std::uint8_t byte = delta_.data[i];
      value |= std::uint64_t{byte & 0x7fu} << (7 * i);
      if (byte < 0x80) {
        delta_ = delta_.Sub(i + 1, delta_.size - i - 1);
        *number = static_cast<std::uint32_t>(value);
        return value >> 32 == 0;
      }
    }
    return false;
  }

  bool Positive(std::uint32_t* number) { return Number(number) && *number >= 1; }

  // A signed distance from where the last copy or gather ended.
  bool Address(std::uint64_t* address) {
    std::uint32_t folded;
    if (!Number(&folded)) return false;
    const std::uint64_t distance = (std::uint64_t{folded} + 1) / 2;
    if (folded % 2 == 1 && distance > source_) return false;
    *address = folded % 2 == 1 ? source_ - distance : source_ + distance;
    return true;
  }

  Bytes delta_;
  Bytes payload_;
  std::uint8_t* output_;
  std::size_t left_;
  std::uint64_t source_ = 0;
};

}  // namespace internal

// Carries out a delta: writes exactly `size` bytes to `output`, or refuses.
//
// `output` must not overlap the payload. After kDelta its contents are unspecified; nothing outside
// it was written, and nothing outside delta and payload was read.
inline Status ExpandDelta(Bytes delta, Bytes payload, std::uint8_t* output,
                            std::size_t size) {
  return internal::Expansion(delta, payload, output, size).Execute();
}

}  // namespace tfelastic

#endif  // TFELASTIC_DELTA_H_
