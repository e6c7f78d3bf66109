// SPDX-License-Identifier: Apache-2.0
// Written by `tfelastic embed`. The C face: one selector, in the buffers of @name@_memory.cc.
#include "@name@_c.h"

#include <new>

#include "@name@.h"

namespace {

// Constructed by @name@_begin, for a firmware without C++ may run no constructors at start.
alignas(@name@::Selector) unsigned char room[sizeof(@name@::Selector)];
@name@::Selector* selector = nullptr;

@name@_result ToC(const tfelastic::Result& result) {
  return {static_cast<int>(result.status), result.variant,  result.latency_us, result.switch_us,
          result.predicted_us,             result.feasible, result.met};
}

@name@_result NotBegun() {
  tfelastic::Result result{};
  result.status = tfelastic::Status::kNotMeasured;
  return ToC(result);
}

}  // namespace

int @name@_begin(bool check_data) {
  if (selector != nullptr) selector->~Selector();
  selector = new (room) @name@::Selector(@name@::StaticMemory());
  return static_cast<int>(selector->Begin(check_data));
}

bool @name@_is_measured(void) { return selector != nullptr && selector->is_measured(); }

@name@_result @name@_measure(const @name@_inputs* inputs, const @name@_outputs* outputs,
                             int64_t limit_us, void (*print)(const char* line)) {
  if (selector == nullptr) return NotBegun();
  return ToC(selector->Measure(*inputs, *outputs, limit_us, print));
}

void @name@_set_budget_us(int64_t budget_us) {
  if (selector != nullptr) selector->set_budget_us(budget_us);
}

@name@_result @name@_run(const @name@_inputs* inputs, const @name@_outputs* outputs) {
  if (selector == nullptr) return NotBegun();
  return ToC(selector->Run(*inputs, *outputs));
}

const char* @name@_variant_name(size_t variant) {
  return variant < @name@::kVariants ? @name@::kNetwork.variants[variant].name : "";
}

const char* @name@_describe(int status) {
  return tfelastic::Describe(static_cast<tfelastic::Status>(status));
}
