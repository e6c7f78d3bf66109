// SPDX-License-Identifier: Apache-2.0
// The firmware's selector: runs the variant that the latency budget allows (runtime/SPEC.md).
//
// It does not know the interpreter. An engine does, by two functions:
//
//     Status Open(std::size_t variant);                                     // makes it ready to run
//     Status Run(const void* const* inputs, float* const* outputs);         // encodes, runs, decodes
//
// Nothing allocates, throws or prints by itself.
#ifndef TFELASTIC_SELECTOR_H_
#define TFELASTIC_SELECTOR_H_

#include <cstddef>
#include <cstdint>

#include "tfelastic/clock.h"
#include "tfelastic/network.h"
#include "tfelastic/policy.h"
#include "tfelastic/result.h"
#include "tfelastic/serial_profile.h"
#include "tfelastic/status.h"

namespace tfelastic {

// How the variants are timed: in turns, so that a change of clock speed meets all of them.
constexpr std::size_t kTurns = 4, kRunsPerTurn = 3;

// Room that timing one variant takes, while it lasts.
struct Samples {
  std::uint32_t runs_us[kTurns * kRunsPerTurn];
  std::uint32_t switches_us[kTurns];
  std::uint32_t run_count, switch_count;
};

namespace internal {

// Puts a sample into its place in ascending order.
inline void Insert(std::uint32_t* samples_us, std::uint32_t* count, std::uint32_t sample_us) {
  std::uint32_t at = (*count)++;
  for (; at > 0 && samples_us[at - 1] > sample_us; --at) samples_us[at] = samples_us[at - 1];
  samples_us[at] = sample_us;
}

// The percentile at the nearest rank, so it did occur.
inline std::uint32_t Percentile(const std::uint32_t* samples_us, std::uint32_t count,
                                std::uint32_t percent) {
  return samples_us[(count * percent + 99) / 100 - 1];
}

inline std::uint32_t Elapsed(std::uint64_t start_us, std::uint64_t end_us) {
  const std::uint64_t took_us = end_us - start_us;
  return took_us > kMicrosecondsMax ? kMicrosecondsMax : static_cast<std::uint32_t>(took_us);
}

// A run takes at least a microsecond, as every row of a table does.
inline std::uint32_t AtLeastOne(std::uint32_t took_us) { return took_us == 0 ? 1 : took_us; }

}  // namespace internal

template <typename Engine>
class Selector {
 public:
  // `rows` has room for as many rows as the network has variants. Where `is_measured`, they are a table
  // that was measured before; else Measure fills them.
  Selector(const Network& network, Engine* engine, Row* rows, bool is_measured)
      : network_(network), engine_(engine), rows_(rows), is_measured_(is_measured) {}

  // 1 .. 2^31 - 1 microseconds; may change at any time. At first there is none to keep.
  void set_budget_us(std::int64_t budget_us) {
    budget_us_ = internal::Clamped(budget_us, 1, kMicrosecondsMax);
  }

  bool is_measured() const { return is_measured_; }
  const Row* rows() const { return rows_; }

  // Times every variant on these inputs and fills the table, in four turns, or fewer where `limit_us`
  // is over before a turn begins: the first is always completed. `samples` has room for each
  // variant. Prints each figure, and nothing where `print` is null. Of the result only the status counts,
  // and which variant it is of.
  Result Measure(const void* const* inputs, float* const* outputs, std::int64_t limit_us,
                 Samples* samples, const SerialTexts& texts, PrintLine print) {
    SerialProfile lines(print);
    lines.Begin(network_.bundle_sha256);
    lines.Device("name", texts.device);
    lines.Runtime(texts.runtime, texts.kernels);
    const std::uint64_t start_us = NowUs();
    for (std::size_t i = 0; i < network_.variant_count; ++i) samples[i] = Samples();
    for (std::size_t turn = 0; turn < kTurns; ++turn) {
      if (turn > 0 && internal::Elapsed(start_us, NowUs()) >= limit_us) break;
      for (std::size_t i = 0; i < network_.variant_count; ++i) {
        Result result{};
        result.variant = i;
        result.status = Time(i, inputs, outputs, &samples[i], &lines);
        if (result.status != Status::kOk) return result;
      }
    }
    lines.End();
    for (std::size_t i = 0; i < network_.variant_count; ++i) {
      const Samples& found = samples[i];
      rows_[i] = {network_.variants[i].score_order,
                  internal::Percentile(found.runs_us, found.run_count, 50),
                  internal::Percentile(found.runs_us, found.run_count, 90),
                  internal::Percentile(found.switches_us, found.switch_count, 50)};
    }
    is_measured_ = true;
    return Result{};
  }

  // Runs the best variant that is predicted to keep the budget. An output that is null is not decoded.
  Result Run(const void* const* inputs, float* const* outputs) {
    Result result{};
    if (!is_measured_) {
      result.status = Status::kNotMeasured;
      return result;
    }
    const Choice choice = policy_.Choose(rows_, network_.variant_count, budget_us_);
    result.variant = choice.index;
    result.predicted_us = choice.predicted_us;
    result.feasible = choice.feasible;
    if (open_ != choice.index) {
      const std::uint64_t start_us = NowUs();
      result.status = Open(choice.index);
      result.switch_us = internal::Elapsed(start_us, NowUs());
      if (result.status != Status::kOk) return result;
    }
    const std::uint64_t start_us = NowUs();
    result.status = engine_->Run(inputs, outputs);
    result.latency_us = internal::AtLeastOne(internal::Elapsed(start_us, NowUs()));
    if (result.status != Status::kOk) return result;
    policy_.Observe(rows_, result.latency_us);
    result.met = result.switch_us + result.latency_us <= budget_us_;
    return result;
  }

 private:
  Status Open(std::size_t index) {
    open_ = Current::kNone;
    const Status status = engine_->Open(index);
    if (status == Status::kOk) open_ = index;
    return status;
  }

  // One turn of a variant: making it ready, its first run, and the timed ones.
  Status Time(std::size_t index, const void* const* inputs, float* const* outputs,
              Samples* samples, SerialProfile* lines) {
    const char* name = network_.variants[index].name;
    std::uint64_t start_us = NowUs();
    Status status = Open(index);
    const std::uint32_t switch_us = internal::Elapsed(start_us, NowUs());
    if (status != Status::kOk) return status;
    internal::Insert(samples->switches_us, &samples->switch_count, switch_us);
    lines->Switch(name, switch_us);
    for (std::size_t run = 0; run <= kRunsPerTurn; ++run) {
      start_us = NowUs();
      status = engine_->Run(inputs, outputs);
      const std::uint32_t took_us = internal::AtLeastOne(internal::Elapsed(start_us, NowUs()));
      if (status != Status::kOk) return status;
      if (run == 0) {
        lines->First(name, took_us);
      } else {
        internal::Insert(samples->runs_us, &samples->run_count, took_us);
        lines->Run(name, took_us);
      }
    }
    return Status::kOk;
  }

  const Network& network_;
  Engine* engine_;
  Row* rows_;
  Policy policy_;
  std::size_t open_ = Current::kNone;
  std::int64_t budget_us_ = kMicrosecondsMax;
  bool is_measured_;
};

}  // namespace tfelastic

#endif  // TFELASTIC_SELECTOR_H_
