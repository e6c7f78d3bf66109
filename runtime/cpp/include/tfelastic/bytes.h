// SPDX-License-Identifier: Apache-2.0
// A range of bytes that someone else owns.
#ifndef TFELASTIC_BYTES_H_
#define TFELASTIC_BYTES_H_

#include <cstddef>
#include <cstdint>

namespace tfelastic {

struct Bytes {
  const std::uint8_t* data = nullptr;
  std::size_t size = 0;

  // The `count` bytes from `start`; the caller has checked that they lie within.
  Bytes Sub(std::size_t start, std::size_t count) const { return {data + start, count}; }
};

}  // namespace tfelastic

#endif  // TFELASTIC_BYTES_H_
