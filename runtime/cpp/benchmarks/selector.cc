// SPDX-License-Identifier: Apache-2.0
// Runs a bundle's variants on LiteRT under a budget, and prints each run as a line of JSON:
//
//     g++ -std=c++17 -O2 -pthread -Iruntime/cpp/include runtime/cpp/benchmarks/selector.cc -o selector
//     ./selector model.elastic libLiteRt.so --budget-us 5000 --runs 1000
//
// `overhead_ns` is what a call took beside making a variant ready, encoding, running and decoding.
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>
#include <vector>

#include "tfelastic/bundle_selector.h"
#include "tfelastic/litert.h"
#include "tfelastic/profile.h"

namespace {

using tfelastic::Bundle;
using tfelastic::Status;

constexpr char kUsage[] =
    "usage: selector BUNDLE LIBRARY [--budget-us N] [--runs N | --seconds N] [--period-us N]\n"
    "                [--variant NAME] [--profile FILE] [--threads N] [--resident N]\n"
    "                [--kernels xnnpack|builtin] [--background yes|no]\n";

struct Options {
  const char *bundle = nullptr, *library = nullptr, *profile = nullptr, *variant = nullptr;
  std::int64_t budget_us = tfelastic::kMicrosecondsMax, runs = 0, seconds = 0, period_us = 0;
  int threads = 1;
  std::size_t resident = 2;
  tfelastic::LiteRtKernels kernels = tfelastic::LiteRtKernels::kXnnpack;
  bool opens_in_background = true;
};

[[noreturn]] void Fail(const std::string& message) {
  std::fprintf(stderr, "selector: %s\n", message.c_str());
  std::exit(1);
}

bool ReadOption(const std::string& name, const char* value, Options* options) {
  if (name == "--budget-us") {
    options->budget_us = std::atoll(value);
  } else if (name == "--runs") {
    options->runs = std::atoll(value);
  } else if (name == "--seconds") {
    options->seconds = std::atoll(value);
  } else if (name == "--period-us") {
    options->period_us = std::atoll(value);
  } else if (name == "--variant") {
    options->variant = value;
  } else if (name == "--profile") {
    options->profile = value;
  } else if (name == "--threads") {
    options->threads = std::atoi(value);
  } else if (name == "--resident") {
    options->resident = static_cast<std::size_t>(std::atoi(value));
  } else if (name == "--kernels") {
    options->kernels = std::strcmp(value, "builtin") == 0 ? tfelastic::LiteRtKernels::kBuiltin
                                                          : tfelastic::LiteRtKernels::kXnnpack;
  } else if (name == "--background") {
    options->opens_in_background = std::strcmp(value, "no") != 0;
  } else {
    return false;
  }
  return true;
}

std::vector<std::uint8_t> ReadFile(const char* path) {
  std::ifstream stream(path, std::ios::binary);
  if (!stream.good()) Fail(std::string("cannot open ") + path);
  return {std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
}

// The selector's clock. It is read in pairs, before and after what is no overhead.
class PairedClock {
 public:
  static std::int64_t NowNs() {
    const std::int64_t now_ns = tfelastic::SteadyNs();
    if (is_second_) within_ns_ += now_ns - first_ns_;
    first_ns_ = now_ns;
    is_second_ = !is_second_;
    return now_ns;
  }

  static void Restart() {
    within_ns_ = 0;
    is_second_ = false;
  }

  static std::int64_t within_ns() { return within_ns_; }

 private:
  inline static std::int64_t first_ns_ = 0, within_ns_ = 0;
  inline static bool is_second_ = false;
};

// Pixels and numbers that differ, and the room for the outputs.
class Values {
 public:
  explicit Values(const Bundle& bundle) {
    std::uint32_t state = 1;
    for (std::size_t i = 0; i < bundle.manifest().input_count; ++i) {
      tfelastic::InputSpec spec;
      if (bundle.Input(i, &spec) != Status::kOk) Fail("cannot read the inputs");
      const bool is_image = spec.kind == tfelastic::InputKind::kImage;
      std::vector<std::uint8_t> input(spec.shape.Elements() * (is_image ? 1 : 4));
      for (std::size_t at = 0; at < input.size(); ++at) {
        state = state * 1664525u + 1013904223u;  // Numerical Recipes' generator.
        // The top byte of a float32 with 0 there is below 2^-125: small, and finite.
        input[at] = !is_image && at % 4 == 3 ? 0 : static_cast<std::uint8_t>(state >> 24);
      }
      inputs_.push_back(std::move(input));
    }
    for (std::size_t i = 0; i < bundle.manifest().output_count; ++i) {
      tfelastic::OutputSpec spec;
      if (bundle.Output(i, &spec) != Status::kOk) Fail("cannot read the outputs");
      outputs_.emplace_back(spec.shape.Elements());
    }
    for (const auto& input : inputs_) taken_.push_back(input.data());
    for (auto& output : outputs_) given_.push_back(output.data());
  }

  const void* const* inputs() const { return taken_.data(); }
  float* const* outputs() const { return given_.data(); }

 private:
  std::vector<std::vector<std::uint8_t>> inputs_;
  std::vector<std::vector<float>> outputs_;
  std::vector<const void*> taken_;
  std::vector<float*> given_;
};

// Calls `run` at the pace, as often or as long as asked, with the run's start in microseconds.
template <typename Run>
void Paced(const Options& options, const Run& run) {
  const std::int64_t start_ns = tfelastic::SteadyNs();
  const std::int64_t end_ns = start_ns + options.seconds * 1000000000;
  for (std::int64_t count = 0; options.runs == 0 || count < options.runs; ++count) {
    const std::int64_t due_ns = start_ns + count * options.period_us * 1000;
    const std::int64_t now_ns = tfelastic::SteadyNs();
    if (options.seconds > 0 && now_ns >= end_ns) break;
    if (now_ns < due_ns) std::this_thread::sleep_for(std::chrono::nanoseconds(due_ns - now_ns));
    run((tfelastic::SteadyNs() - start_ns) / 1000);
  }
}

std::string NameOf(const Bundle& bundle, std::size_t index) {
  tfelastic::Variant variant;
  return bundle.At(index, &variant) == Status::kOk ? variant.name : "";
}

void PrintLine(const std::string& name, std::int64_t at_us, const tfelastic::Result& result,
               std::int64_t overhead_ns) {
  std::printf(
      "{\"variant\": \"%s\", \"at_us\": %lld, \"latency_us\": %lld, \"switch_us\": %lld, "
      "\"predicted_us\": %lld, \"feasible\": %s, \"met\": %s, \"overhead_ns\": %lld}\n",
      name.c_str(), static_cast<long long>(at_us), static_cast<long long>(result.latency_us),
      static_cast<long long>(result.switch_us), static_cast<long long>(result.predicted_us),
      result.feasible ? "true" : "false", result.met ? "true" : "false",
      static_cast<long long>(overhead_ns));
}

// One variant alone, for comparison.
void RunVariant(const Options& options, const Bundle& bundle, const tfelastic::Backend& backend) {
  std::size_t index = 0;
  while (index < bundle.variant_count() && NameOf(bundle, index) != options.variant) ++index;
  if (index == bundle.variant_count()) Fail(std::string("no variant is called ") + options.variant);
  tfelastic::OpenVariant variant(backend);
  std::string error;
  if (variant.Open(bundle, index, options.threads, &error) != Status::kOk) Fail(error);
  const Values values(bundle);
  Paced(options, [&](std::int64_t at_us) {
    const std::int64_t start_ns = tfelastic::SteadyNs();
    if (variant.Run(values.inputs(), values.outputs(), &error) != Status::kOk) Fail(error);
    tfelastic::Result result{};
    result.latency_us = (tfelastic::SteadyNs() - start_ns + 999) / 1000;
    result.predicted_us = result.latency_us;
    result.feasible = result.met = result.latency_us <= options.budget_us;
    PrintLine(options.variant, at_us, result, 0);
  });
}

void RunSelector(const Options& options, const Bundle& bundle, const tfelastic::Backend& backend) {
  tfelastic::SelectorOptions chosen;
  chosen.budget_us = options.budget_us;
  chosen.threads = options.threads;
  chosen.resident = options.resident;
  chosen.opens_in_background = options.opens_in_background;
  chosen.now_ns = PairedClock::NowNs;
  tfelastic::BundleSelector selector(bundle, backend, chosen);
  Status status = Status::kOk;
  if (options.profile == nullptr) {
    status = selector.Measure();
  } else {
    const std::vector<std::uint8_t> text = ReadFile(options.profile);
    std::vector<tfelastic::Row> rows;
    const tfelastic::RunConditions conditions{options.threads, backend.describe(backend.context).kernels};
    status = tfelastic::ReadProfile({text.data(), text.size()}, bundle, conditions, &rows);
    if (status == Status::kOk) status = selector.SetTable(rows);
  }
  if (status != Status::kOk) Fail(tfelastic::Describe(status));
  const Values values(bundle);
  Paced(options, [&](std::int64_t at_us) {
    PairedClock::Restart();
    const std::int64_t start_ns = tfelastic::SteadyNs();
    const tfelastic::BundleResult result = selector.Run(values.inputs(), values.outputs());
    const std::int64_t took_ns = tfelastic::SteadyNs() - start_ns;
    if (result.status != Status::kOk) Fail(tfelastic::Describe(result.status));
    PrintLine(NameOf(bundle, result.variant), at_us, result, took_ns - PairedClock::within_ns());
  });
}

}  // namespace

int main(int count, char** arguments) {
  Options options;
  bool is_right = count >= 3 && count % 2 == 1;
  for (int i = 3; is_right && i < count; i += 2) {
    is_right = ReadOption(arguments[i], arguments[i + 1], &options);
  }
  if (!is_right) {
    std::fputs(kUsage, stderr);
    return 2;
  }
  options.bundle = arguments[1];
  options.library = arguments[2];
  if (options.runs <= 0 && options.seconds <= 0) options.runs = 1000;
  const std::vector<std::uint8_t> file = ReadFile(options.bundle);
  Bundle bundle;
  const Status status = Bundle::Open(file.data(), file.size(), &bundle);
  if (status != Status::kOk) Fail(tfelastic::Describe(status));
  tfelastic::LiteRt litert(options.kernels);
  std::string error;
  if (!litert.Open(options.library, &error)) Fail(error);
  if (options.variant != nullptr) {
    RunVariant(options, bundle, litert.backend());
  } else {
    RunSelector(options, bundle, litert.backend());
  }
  return 0;
}
