// SPDX-License-Identifier: Apache-2.0
// SHA-256 (FIPS 180-4) of bytes in memory.
#ifndef TFELASTIC_SHA256_H_
#define TFELASTIC_SHA256_H_

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "tfelastic/bytes.h"

namespace tfelastic {

class Sha256 {
 public:
  static constexpr std::size_t kBytes = 32;

  explicit Sha256(Bytes data) {
    const std::size_t whole = data.size / kBlock;
    for (std::size_t i = 0; i < whole; ++i) Compress(data.data + i * kBlock);
    Finish(data.data + whole * kBlock, data.size % kBlock, data.size);
  }

  const std::uint8_t* digest() const { return digest_; }

  bool Matches(const std::uint8_t* expected) const {
    return std::memcmp(digest_, expected, kBytes) == 0;
  }

 private:
  static constexpr std::size_t kBlock = 64;

  static std::uint32_t Rotated(std::uint32_t word, int bits) {
    return (word >> bits) | (word << (32 - bits));
  }

  static std::uint32_t BigEndian(const std::uint8_t* at) {
    return std::uint32_t{at[0]} << 24 | std::uint32_t{at[1]} << 16 | std::uint32_t{at[2]} << 8 |
           std::uint32_t{at[3]};
  }

  // The first 32 bits of the fractional parts of the cube roots of the first 64 primes.
  static std::uint32_t Constant(std::size_t round) {
    static constexpr std::uint32_t kConstants[64] = {
        0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4,
        0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe,
        0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f,
        0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7,
        0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc,
        0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b,
        0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116,
        0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
        0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7,
        0xc67178f2};
    return kConstants[round];
  }

  void Compress(const std::uint8_t* block) {
    std::uint32_t words[64];
    for (std::size_t i = 0; i < 16; ++i) words[i] = BigEndian(block + 4 * i);
    for (std::size_t i = 16; i < 64; ++i) {
      const std::uint32_t a = words[i - 15], b = words[i - 2];
      const std::uint32_t low = Rotated(a, 7) ^ Rotated(a, 18) ^ (a >> 3);
      const std::uint32_t high = Rotated(b, 17) ^ Rotated(b, 19) ^ (b >> 10);
      words[i] = words[i - 16] + low + words[i - 7] + high;
    }
    std::uint32_t a = state_[0], b = state_[1], c = state_[2], d = state_[3];
    std::uint32_t e = state_[4], f = state_[5], g = state_[6], h = state_[7];
    for (std::size_t i = 0; i < 64; ++i) {
      const std::uint32_t choice = (e & f) ^ (~e & g);
      const std::uint32_t majority = (a & b) ^ (a & c) ^ (b & c);
      const std::uint32_t first =
          h + (Rotated(e, 6) ^ Rotated(e, 11) ^ Rotated(e, 25)) + choice + Constant(i) + words[i];
      const std::uint32_t second = (Rotated(a, 2) ^ Rotated(a, 13) ^ Rotated(a, 22)) + majority;
      h = g, g = f, f = e, e = d + first;
      d = c, c = b, b = a, a = first + second;
    }
    state_[0] += a, state_[1] += b, state_[2] += c, state_[3] += d;
    state_[4] += e, state_[5] += f, state_[6] += g, state_[7] += h;
  }

  void Finish(const std::uint8_t* rest, std::size_t count, std::uint64_t total) {
    std::uint8_t block[2 * kBlock] = {};
    if (count > 0) std::memcpy(block, rest, count);
    block[count] = 0x80;
    const std::size_t end = count + 9 <= kBlock ? kBlock : 2 * kBlock;
    for (std::size_t i = 0; i < 8; ++i) {
      block[end - 1 - i] = static_cast<std::uint8_t>((total << 3) >> (8 * i));
    }
    Compress(block);
    if (end > kBlock) Compress(block + kBlock);
    for (std::size_t i = 0; i < kBytes; ++i) {
      digest_[i] = static_cast<std::uint8_t>(state_[i / 4] >> (24 - 8 * (i % 4)));
    }
  }

  std::uint32_t state_[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                             0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  std::uint8_t digest_[kBytes];
};

}  // namespace tfelastic

#endif  // TFELASTIC_SHA256_H_
