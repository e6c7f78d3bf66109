// SPDX-License-Identifier: Apache-2.0
// A bundle as `tfelastic embed` compiles it into a firmware: one array, and where each variant lies in it.
#ifndef TFELASTIC_NETWORK_H_
#define TFELASTIC_NETWORK_H_

#include <cstddef>
#include <cstdint>

#include "tfelastic/bytes.h"
#include "tfelastic/delta.h"
#include "tfelastic/limits.h"
#include "tfelastic/status.h"
#include "tfelastic/tensor.h"

namespace tfelastic {

struct NetworkInput {
  const char* name;
  InputKind kind;
  std::uint32_t elements;
};

struct NetworkOutput {
  const char* name;
  OutputKind kind;
  std::uint32_t elements;
};

struct NetworkVariant {
  const char* name;
  bool in_place;               // Runs where it lies; else it is copied into RAM first.
  std::uint32_t offset;        // Of the .tflite in the array, or of the delta that writes it.
  std::uint32_t stored_bytes;
  std::uint32_t bytes;         // Of the .tflite.
  std::uint32_t arena_bytes;   // What the interpreter is expected to need.
  std::int32_t score_order;    // Larger for a better variant (SPEC.md, section 4).
  const TensorSpec* inputs;    // In the network's order.
  const TensorSpec* outputs;
};

struct Network {
  Bytes data;
  std::uint32_t crc32;        // Of the array.
  const char* bundle_sha256;  // Of the bundle's payload, 64 hexadecimal digits.
  const NetworkVariant* variants;
  std::size_t variant_count;
  const NetworkInput* inputs;
  std::size_t input_count;
  const NetworkOutput* outputs;
  std::size_t output_count;
};

constexpr std::size_t Padded(std::size_t bytes) {
  return (bytes + kAlignment - 1) / kAlignment * kAlignment;
}

inline bool IsAligned(const void* at) {
  return reinterpret_cast<std::uintptr_t>(at) % kAlignment == 0;
}

// Points `model` at the variant's .tflite, at a multiple of 16 bytes: where it lies, or copied into
// `buffer`. kBufferTooSmall and kMisaligned are about that buffer.
inline Status Load(const Network& network, const NetworkVariant& variant, std::uint8_t* buffer,
                   std::size_t capacity, const std::uint8_t** model) {
  if (variant.in_place) {
    *model = network.data.data + variant.offset;
    return IsAligned(*model) ? Status::kOk : Status::kMisaligned;
  }
  if (variant.bytes > capacity) return Status::kBufferTooSmall;
  if (!IsAligned(buffer)) return Status::kMisaligned;
  *model = buffer;
  return ExpandDelta(network.data.Sub(variant.offset, variant.stored_bytes), network.data, buffer,
                     variant.bytes);
}

// The place of the largest of `count` numbers, of several the first: a classifier's answer.
inline std::size_t Largest(const float* values, std::size_t count) {
  std::size_t largest = 0;
  for (std::size_t i = 1; i < count; ++i) {
    if (values[i] > values[largest]) largest = i;
  }
  return largest;
}

// Whether the array is what was compiled: CRC-32 as in IEEE 802.3, four bits at a time, for flash is
// scarcer than the time of one check.
inline Status CheckData(const Network& network) {
  constexpr std::uint32_t kTable[16] = {
      0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4,
      0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
      0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c};
  std::uint32_t crc = 0xffffffffu;
  for (std::size_t i = 0; i < network.data.size; ++i) {
    crc ^= network.data.data[i];
    crc = kTable[crc & 15u] ^ (crc >> 4);
    crc = kTable[crc & 15u] ^ (crc >> 4);
  }
  return ~crc == network.crc32 ? Status::kOk : Status::kChecksum;
}

}  // namespace tfelastic

#endif  // TFELASTIC_NETWORK_H_
