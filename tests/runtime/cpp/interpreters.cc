// Every variant of a bundle in a real interpreter, for any inputs.
#include <malloc.h>

#include <cstring>
#include <string>

#include "testing.h"
#include "tfelastic/bundle_selector.h"
#include "tfelastic/litert.h"
#include "tfelastic/tflite.h"

namespace {

using namespace tfelastic;  // NOLINT(build/namespaces)

void PrintOutputs(const Opened& opened) {
  for (const std::vector<float>& values : opened.values) {
    const auto* at = reinterpret_cast<const std::uint8_t*>(values.data());
    for (std::size_t i = 0; i < 4 * values.size(); ++i) std::printf("%02x", at[i]);
  }
}

// Reads one set of inputs, one after another; false at the end.
bool ReadInputs(const Bundle& bundle, std::vector<File>* inputs) {
  inputs->clear();
  for (std::size_t i = 0; i < bundle.manifest().input_count; ++i) {
    InputSpec spec;
    CHECK(bundle.Input(i, &spec) == Status::kOk);
    inputs->emplace_back(spec.shape.Elements() * (spec.kind == InputKind::kImage ? 1 : 4));
    File& input = inputs->back();
    if (std::fread(input.data(), 1, input.size(), stdin) != input.size()) return false;
  }
  return true;
}

std::vector<const void*> Addresses(const std::vector<File>& inputs) {
  std::vector<const void*> found;
  for (const File& input : inputs) found.push_back(input.data());
  return found;
}

// Prints a line for each variant: its outputs for all sets of inputs, or why it does not open.
void RunAll(const char* path, const Backend& backend) {
  Opened opened(path);
  std::vector<std::vector<File>> sets;
  for (std::vector<File> inputs; ReadInputs(opened.bundle, &inputs);) sets.push_back(inputs);
  for (std::size_t i = 0; i < opened.bundle.variant_count(); ++i) {
    OpenVariant variant(backend);
    std::string error;
    const Status status = variant.Open(opened.bundle, i, 1, &error);
    if (status != Status::kOk) {
      std::printf("%s: %s\n", Describe(status), error.c_str());
      continue;
    }
    for (const std::vector<File>& inputs : sets) {
      CHECK(variant.Run(Addresses(inputs).data(), opened.outputs.data(), &error) == Status::kOk);
      PrintOutputs(opened);
    }
    std::printf("\n");
  }
}

// Measures all variants and runs on zeros under budgets that make it switch: what ran, and who failed.
// The first variants of the bundle are the best ones, and those that fail.
void Select(const char* path, const Backend& backend, int switches) {
  Opened opened(path);
  const BlankInputs blank(opened.bundle);
  BundleSelector selector(opened.bundle, backend);
  CHECK(selector.Run(blank.data(), opened.outputs.data()).status == Status::kNotMeasured);
  CHECK(selector.Measure() == Status::kOk);
  for (int i = 0; i < switches; ++i) {
    selector.set_budget_us(i % 2 == 0 ? 1 : kMicrosecondsMax);
    CHECK(selector.Run(blank.data(), opened.outputs.data()).status == Status::kOk);
  }
  selector.set_budget_us(kMicrosecondsMax);
  BundleResult result = selector.Run(blank.data(), opened.outputs.data());
  // Until the best one that runs is open.
  while (result.variant != result.failures.size()) {
    result = selector.Run(blank.data(), opened.outputs.data());
  }
  CHECK(result.status == Status::kOk && result.feasible && result.met && result.latency_us >= 1);
  std::printf("%zu ", result.variant);
  PrintOutputs(opened);
  for (const Failure& each : result.failures) {
    std::printf("\n%zu %s: %s", each.variant, Describe(each.status), each.reason.c_str());
  }
  std::printf("\n");
}

// Prints by how many bytes 1,000 switches and as many runs let the process' memory grow.
void PrintGrowth(const char* path, const Backend& backend) {
  Opened opened(path);
  const BlankInputs blank(opened.bundle);
  SelectorOptions options;
  options.resident = 1;
  BundleSelector selector(opened.bundle, backend, options);
  // The first variant is the best and by far the slowest, so that each budget has its own, whatever they take.
  std::vector<Row> rows(opened.bundle.variant_count(), Row{0, 1000000, 1000000, 0});
  rows.front().score_order = 2;
  rows.back() = {1, 1, 1, 0};
  CHECK(selector.SetTable(rows) == Status::kOk);
  std::int64_t switches = 0;
  const auto run = [&](int count) {
    for (int i = 0; i < count; ++i) {
      selector.set_budget_us(i % 2 == 0 ? 1000 : kMicrosecondsMax);
      const BundleResult result = selector.Run(blank.data(), opened.outputs.data());
      CHECK(result.status == Status::kOk);
      switches += result.switch_us > 0;
    }
  };
  run(200);
  const struct mallinfo2 before = mallinfo2();
  switches = 0;
  run(1000);
  CHECK(switches == 1000);
  const struct mallinfo2 after = mallinfo2();
  const std::size_t bytes_before = before.uordblks + before.hblkhd, bytes_after = after.uordblks + after.hblkhd;
  std::printf("%lld\n", static_cast<long long>(bytes_after) - static_cast<long long>(bytes_before));
}

// Opens the library, and does what the mode says.
template <typename Runtime>
int Main(const std::string& mode, const char* path, const char* library, const char* kernels, Runtime* runtime) {
  std::string error;
  if (!runtime->Open(library, &error)) {
    std::fprintf(stderr, "%s\n", error.c_str());
    return 1;
  }
  const Backend backend = runtime->backend();
  CHECK(std::strcmp(backend.describe(backend.context).kernels, kernels) == 0);
  if (mode == "run") {
    RunAll(path, backend);
  } else if (mode == "growth") {
    PrintGrowth(path, backend);
  } else {
    Select(path, backend, 20);
  }
  return 0;
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 6) return 2;
  const char *path = arguments[2], *library = arguments[4], *kernels = arguments[5];
  const bool is_xnnpack = std::strcmp(kernels, "xnnpack") == 0;
  if (std::strcmp(arguments[3], "litert") == 0) {
    LiteRt litert(is_xnnpack ? LiteRtKernels::kXnnpack : LiteRtKernels::kBuiltin);
    return Main(arguments[1], path, library, kernels, &litert);
  }
  TfLite tflite(is_xnnpack ? TfLiteKernels::kXnnpack : TfLiteKernels::kBuiltin);
  return Main(arguments[1], path, library, kernels, &tflite);
}
