// SPDX-License-Identifier: Apache-2.0
// Summing up single runs' latencies to a row of the policy's table (runtime/SPEC.md, section 4).
#ifndef TFELASTIC_LATENCY_H_
#define TFELASTIC_LATENCY_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "tfelastic/policy.h"

namespace tfelastic {

// The row of a variant that took so long, at least once; sorts the latencies in place. A percentile
// is a nearest rank, so it did occur.
inline Row Measured(std::int64_t score_order, std::int64_t* latencies_us, std::size_t count,
                    std::int64_t switch_us = 0) {
  std::sort(latencies_us, latencies_us + count);
  const auto rank = [&](std::size_t percent) {
    const std::size_t place = (count * percent + 99) / 100;
    return std::max<std::int64_t>(latencies_us[place - 1], 1);
  };
  return {score_order, rank(50), rank(90), switch_us};
}

}  // namespace tfelastic

#endif  // TFELASTIC_LATENCY_H_
