// SPDX-License-Identifier: Apache-2.0
// What a selector tells of one inference.
#ifndef TFELASTIC_RESULT_H_
#define TFELASTIC_RESULT_H_

#include <cstddef>
#include <cstdint>

#include "tfelastic/status.h"

namespace tfelastic {

// One inference.
struct Result {
  Status status;              // What follows holds where it is kOk.
  std::size_t variant;        // Which one ran, by its place in the bundle.
  std::int64_t latency_us;    // Encoding the inputs, running, decoding the outputs.
  std::int64_t switch_us;     // Making the variant ready before that; 0 where it was.
  std::int64_t predicted_us;  // Of both together.
  bool feasible;              // Whether the prediction kept the budget.
  bool met;                   // Whether both together did.
};

}  // namespace tfelastic

#endif  // TFELASTIC_RESULT_H_
