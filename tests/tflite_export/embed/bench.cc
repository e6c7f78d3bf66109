// Runs a network's selector through the steps of bench.h, by the stub of TFLM and a clock that counts what
// it is told, and prints each result.
#include <cstdint>
#include <cstdio>
#include <cstring>

#include "bench.h"

static std::uint64_t now_us = 0;
static unsigned percent = 100;

extern "C" std::uint64_t tfelastic_now_us(void) { return now_us; }
extern "C" void tflm_stub_allocated(unsigned long elements) { now_us += ALLOCATION_US * elements; }
extern "C" void tflm_stub_invoked(unsigned long elements) {
  now_us += INVOCATION_US * elements * percent / 100;
}

static void Print(const char* line) { std::puts(line); }

static int Failed(const char* what, int status) {
  std::printf("%s: %s\n", what, tfelastic::Describe(static_cast<tfelastic::Status>(status)));
  return 1;
}

static void PrintResult(const tfelastic::Result& result) {
  std::printf("%s %ld %ld %ld %d %d", network::kNetwork.variants[result.variant].name,
              static_cast<long>(result.latency_us), static_cast<long>(result.switch_us),
              static_cast<long>(result.predicted_us), result.feasible, result.met);
  for (std::size_t j = 0; j < network::kOutputs; ++j) {
    const std::size_t places[] = {0, kLengths[j] - 1};
    for (const std::size_t place : places) {
      std::uint32_t bits;
      std::memcpy(&bits, kOutputs[j] + place, sizeof(bits));
      std::printf(" %08lx", static_cast<unsigned long>(bits));
    }
  }
  std::puts("");
}

int main() {
  Fill();
  static network::Selector selector(network::StaticMemory());
  const tfelastic::Status begun = selector.Begin(/*check_data=*/true);
  if (begun != tfelastic::Status::kOk) return Failed("begin", static_cast<int>(begun));
  if (!selector.is_measured()) {
    const tfelastic::Result early = selector.Run(kGiven, kWanted);
    if (early.status != tfelastic::Status::kNotMeasured) return Failed("early", 0);
    const tfelastic::Result result = selector.Measure(kGiven, kWanted, MEASURE_US, Print);
    if (result.status != tfelastic::Status::kOk) {
      return Failed(network::kNetwork.variants[result.variant].name,
                    static_cast<int>(result.status));
    }
  }
  for (const Step& step : kSteps) {
    selector.set_budget_us(step.budget_us);
    percent = step.percent;
    const tfelastic::Result result = selector.Run(kGiven, kWanted);
    if (result.status != tfelastic::Status::kOk) {
      return Failed("run", static_cast<int>(result.status));
    }
    PrintResult(result);
  }
  return 0;
}
