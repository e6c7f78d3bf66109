// Times what it takes to expand a variant, beside memcpy of as many bytes.
//
// Standard input is a file of cases: for each, three numbers of 32 bits, little-endian, the delta's
// length, the payload's and the output's, then delta and payload. For each, a line is printed:
// nanoseconds of memcpy, of expanding, and of hashing the result.
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "tfelastic/delta.h"
#include "tfelastic/sha256.h"

namespace {

using Clock = std::chrono::steady_clock;

// The rounds take turns, so that a busy machine hinders all alike; the fastest one tells.
constexpr int kRounds = 25;

struct Buffer {
  explicit Buffer(std::size_t count)
      : size(count), data(static_cast<std::uint8_t*>(std::malloc(count))) {}
  ~Buffer() { std::free(data); }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;

  tfelastic::Bytes bytes() const { return {data, size}; }

  std::size_t size;
  std::uint8_t* data;
};

// Nanoseconds of one call, from as many as take a millisecond.
template <typename Work>
double Timed(std::size_t bytes, Work work) {
  const std::size_t calls = std::max<std::size_t>(1, (std::size_t{1} << 22) / bytes);
  const auto start = Clock::now();
  for (std::size_t i = 0; i < calls; ++i) work();
  const std::chrono::duration<double, std::nano> taken = Clock::now() - start;
  return taken.count() / static_cast<double>(calls);
}

// Keeps the compiler from dropping a copy that nobody reads.
void Use(const std::uint8_t* data) { asm volatile("" : : "r"(data) : "memory"); }

bool Measure(tfelastic::Bytes delta, tfelastic::Bytes payload, std::size_t size) {
  const Buffer output(size), source(size);
  std::memset(source.data, 1, size);
  double copy = 1e18, expand = 1e18, hash = 1e18;
  bool fine = true;
  for (int round = 0; round < kRounds; ++round) {
    copy = std::min(copy, Timed(size, [&] {
                      std::memcpy(output.data, source.data, size);
                      Use(output.data);
                    }));
    expand = std::min(expand, Timed(size, [&] {
                        fine = fine && tfelastic::ExpandDelta(delta, payload, output.data,
                                                                size) == tfelastic::Status::kOk;
                        Use(output.data);
                      }));
    if (round % 8 != 0) continue;  // Hashing is slow, and steady.
    hash = std::min(hash, Timed(size, [&] {
                      const tfelastic::Sha256 sha256(output.bytes());
                      Use(sha256.digest());
                    }));
  }
  std::printf("%.1f %.1f %.1f\n", copy, expand, hash);
  return fine;
}

}  // namespace

int main() {
  std::uint32_t head[3];
  while (std::fread(head, sizeof(head), 1, stdin) == 1) {
    const Buffer delta(head[0]), payload(head[1]);
    if (std::fread(delta.data, 1, delta.size, stdin) != delta.size ||
        std::fread(payload.data, 1, payload.size, stdin) != payload.size ||
        !Measure(delta.bytes(), payload.bytes(), head[2])) {
      return 1;
    }
  }
  return 0;
}
