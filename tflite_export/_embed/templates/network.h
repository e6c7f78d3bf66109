// SPDX-License-Identifier: Apache-2.0
// Written by `tfelastic embed`. The selector of network `@name@`: see main.cc for its use.
#ifndef @NAME@_H_
#define @NAME@_H_

#include <cstddef>
#include <cstdint>

#include "@name@_c.h"
#include "@name@_operators.h"
#include "tfelastic/network.h"
#include "tfelastic/selector.h"
#include "tfelastic/tflm.h"

// What stands in a profile that this firmware prints; no commas, asterisks or dollar signs.
#ifndef @NAME@_DEVICE
#define @NAME@_DEVICE "board"
#endif
#ifndef @NAME@_KERNELS
#define @NAME@_KERNELS "@kernels@"
#endif

namespace @name@ {

// One pointer for each input and output; a null output is not decoded.
using Inputs = @name@_inputs;
using Outputs = @name@_outputs;
using tfelastic::Result;
using tfelastic::Status;

constexpr std::size_t kVariants = @variant_count@, kInputs = @input_count@, kOutputs = @output_count@;
@elements_constants@
extern const tfelastic::Network kNetwork;
// The table that was measured before: @measured_comment@.
constexpr bool kIsMeasured = @is_measured@;
extern const tfelastic::Row kMeasured[kVariants];

// The buffers that @name@_memory.cc declares.
tfelastic::Memory StaticMemory();

using Engine = @engine@;

class Selector {
 public:
  // `memory` outlives the selector. TFLM's profiler, where there is one, hears of each operation.
  explicit Selector(tfelastic::Memory memory, tfelastic::tflm::Profiler* profiler = nullptr)
      : engine_(kNetwork, resolver_, memory, profiler),
        selector_(kNetwork, &engine_, rows_, kIsMeasured) {
    for (std::size_t i = 0; kIsMeasured && i < kVariants; ++i) rows_[i] = kMeasured[i];
  }
  Selector(const Selector&) = delete;
  Selector& operator=(const Selector&) = delete;

  // Comes first. With `check_data`, compares the array with its CRC-32.
  Status Begin(bool check_data = false) {
    if (check_data) {
      const Status status = tfelastic::CheckData(kNetwork);
      if (status != Status::kOk) return status;
    }
    return AddOperators(&resolver_) == tfelastic::tflm::kOk ? engine_.Prepare() : Status::kAllocation;
  }

  bool is_measured() const { return selector_.is_measured(); }

  // Times the variants on these inputs, in `limit_us` or what one turn of each takes, and prints the table
  // line by line for `tfelastic profile --on serial`, or not where `print` is null.
  Result Measure(const Inputs& inputs, const Outputs& outputs, std::int64_t limit_us,
                 tfelastic::PrintLine print) {
    const void* const given[] = {@input_pointers@};
    float* const wanted[] = {@output_pointers@};
    tfelastic::Samples samples[kVariants];
    return selector_.Measure(given, wanted, limit_us, samples,
                             {@NAME@_DEVICE, "TensorFlow Lite Micro", @NAME@_KERNELS}, print);
  }

  // Microseconds for one inference; may change at any time.
  void set_budget_us(std::int64_t budget_us) { selector_.set_budget_us(budget_us); }

  // Runs the best variant that is predicted to keep the budget.
  Result Run(const Inputs& inputs, const Outputs& outputs) {
    const void* const given[] = {@input_pointers@};
    float* const wanted[] = {@output_pointers@};
    return selector_.Run(given, wanted);
  }

  // What the interpreter takes of its arena; a variant has run.
  std::size_t arena_used_bytes() const { return engine_.arena_used_bytes(); }

 private:
  Resolver resolver_;
  Engine engine_;
  tfelastic::Row rows_[kVariants];
  tfelastic::Selector<Engine> selector_;
};

}  // namespace @name@

#endif  // @NAME@_H_
