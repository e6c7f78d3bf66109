// Yours: `tfelastic embed` wrote this once and leaves it alone from now on. Put camera, microphone or
// sensors where the inputs are filled.
#include <cstdint>
#include <cstdio>
@entry_includes@
#include "@name@.h"

namespace {

@input_buffers@@output_buffers@
const @name@::Inputs inputs = {@input_names@};
const @name@::Outputs outputs = {@output_names@};
@name@::Selector selector(@name@::StaticMemory());

void Print(const char* line) { @print_line@ }

bool IsOk(@name@::Status status, const char* variant) {
  if (status == @name@::Status::kOk) return true;
  char line[160];
  std::snprintf(line, sizeof(line), "%s: %s", variant, tfelastic::Describe(status));
  Print(line);
  return false;
}

// Measures the variants at first start, unless a table was embedded: in two seconds, or what one turn of
// each takes.
bool Setup() {
  if (!IsOk(selector.Begin(/*check_data=*/true), "@name@")) return false;
  if (!selector.is_measured()) {
    const @name@::Result result = selector.Measure(inputs, outputs, 2000000, Print);
    if (!IsOk(result.status, @name@::kNetwork.variants[result.variant].name)) return false;
  }
  selector.set_budget_us(20000);
  return true;
}

// One decision.
bool Decide() {
  // Fill the inputs here.
  const @name@::Result result = selector.Run(inputs, outputs);
  const char* variant = @name@::kNetwork.variants[result.variant].name;
  if (!IsOk(result.status, variant)) return false;
  char line[160];
  // Integers alone: the printf of small C libraries knows no others.
  std::snprintf(line, sizeof(line), "%s: %lu us and %lu us to switch, budget %s", variant,
                static_cast<unsigned long>(result.latency_us),
                static_cast<unsigned long>(result.switch_us), result.met ? "met" : "missed");
  Print(line);
@output_prints@  return true;
}

}  // namespace

@entry@
