// SPDX-License-Identifier: Apache-2.0
// The selector of phones and hosts: opens a bundle's variants by any backend, and runs the one that the
// latency budget allows (runtime/SPEC.md). A firmware's is in selector.h.
//
//     tfelastic::BundleSelector selector(bundle, litert.backend(), options);
//     tfelastic::Status status = selector.Measure();              // or SetTable(rows)
//     tfelastic::BundleResult result = selector.Run(inputs, outputs);
//
// It allocates memory when variants open; nothing throws but what the standard library does where
// memory or threads are lacking.
#ifndef TFELASTIC_BUNDLE_SELECTOR_H_
#define TFELASTIC_BUNDLE_SELECTOR_H_

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

#include "tfelastic/backend.h"
#include "tfelastic/bundle.h"
#include "tfelastic/latency.h"
#include "tfelastic/policy.h"
#include "tfelastic/profile_text.h"
#include "tfelastic/result.h"
#include "tfelastic/variant_pool.h"

namespace tfelastic {

// Nanoseconds of a clock that never runs backwards.
inline std::int64_t SteadyNs() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

struct SelectorOptions {
  std::int64_t budget_us = kMicrosecondsMax;  // What nine runs of ten should keep.
  int threads = 1;                            // Of an interpreter.
  std::size_t resident = 2;  // Variants open at once; each costs its weights in memory.
  // Whether a variant opens while another one runs, where two may be open: then no run waits for it.
  bool opens_in_background = true;
  std::int64_t (*now_ns)() = SteadyNs;
};

// A variant that is no longer used, and why.
struct Failure {
  std::size_t variant;
  Status status;
  std::string reason;
};

struct BundleResult : Result {
  std::vector<Failure> failures;  // Since the table was measured or set.
};

// Several threads may share a selector: their calls take turns. The bundle's bytes and the backend must
// outlive it.
class BundleSelector {
 public:
  BundleSelector(const Bundle& bundle, const Backend& backend,
                 const SelectorOptions& options = SelectorOptions())
      : options_(options), backend_(backend), pool_(bundle, backend, options.threads, options.resident) {
    set_budget_us(options.budget_us);
  }
  BundleSelector(const BundleSelector&) = delete;
  BundleSelector& operator=(const BundleSelector&) = delete;

  ~BundleSelector() { Close(); }

  // 1 .. 2^31 - 1 microseconds. The next run heeds a change.
  void set_budget_us(std::int64_t budget_us) {
    budget_us_ = internal::Clamped(budget_us, 1, kMicrosecondsMax);
  }

  // Takes a table that was measured on this device before (ReadProfile): a row for each variant, in the
  // bundle's order.
  Status SetTable(const std::vector<Row>& rows) {
    const std::lock_guard<std::mutex> turn(mutex_);
    if (is_closed_) return Status::kClosed;
    if (rows.size() != pool_.bundle().variant_count()) return Status::kProfile;
    Start();
    for (std::size_t i = 0; i < rows.size(); ++i) candidates_.push_back({i, rows[i]});
    return Status::kOk;
  }

  // Times every variant on zeros, in five turns of four runs, so that a change of clock speed meets all
  // of them, and each time opened anew. No turn but the first begins once `limit_us` is over. A
  // variant that does not run is left out, and is among the failures.
  Status Measure(std::int64_t limit_us = 5000000) {
    const std::lock_guard<std::mutex> turn(mutex_);
    if (is_closed_) return Status::kClosed;
    Start();
    const std::int64_t start_ns = options_.now_ns();
    std::vector<Samples> samples(pool_.bundle().variant_count());
    for (int round = 0; round < kRounds; ++round, measured_runs_ += kRunsPerRound) {
      if (round > 0 && Since(start_ns) >= limit_us) break;
      for (std::size_t i = 0; i < samples.size(); ++i) {
        if (samples[i].has_failed) continue;
        std::string error;
        const Status status = Time(i, &samples[i], &error);
        samples[i].has_failed = status != Status::kOk;
        if (samples[i].has_failed) failures_.push_back({i, status, error});
      }
    }
    for (std::size_t i = 0; i < samples.size(); ++i) {
      if (!samples[i].has_failed) candidates_.push_back({i, samples[i].ToRow()});
    }
    return candidates_.empty() ? Status::kNoVariantRuns : Status::kOk;
  }

  // What Measure found, as the text of a `profile.json` that names this device; profile.h reads it. Empty
  // where nothing was measured, or where a variant does not run: no table may leave one out.
  std::string ProfileText(const std::string& device) {
    const std::lock_guard<std::mutex> turn(mutex_);
    const Bundle& bundle = pool_.bundle();
    if (measured_runs_ == 0 || candidates_.size() != bundle.variant_count()) return "";
    std::vector<Row> rows;
    for (const Candidate& candidate : candidates_) rows.push_back(candidate.row);
    const RuntimeNames names = backend_.describe(backend_.context);
    return tfelastic::ProfileText(bundle, device, names, options_.threads, rows, measured_runs_);
  }

  // Runs the best variant that is predicted to keep the budget; where the backend refuses it, the next
  // best. `inputs` are pixels (uint8) or real numbers (float) in the manifest's order, `outputs` real
  // numbers likewise; an output that is null is not decoded.
  BundleResult Run(const void* const* inputs, float* const* outputs) {
    const std::lock_guard<std::mutex> turn(mutex_);
    BundleResult result{};
    result.status = RunInTurn(inputs, outputs, &result);
    result.failures = failures_;
    return result;
  }

  // How much slower the device is now than when it was measured; 16 bits behind the point.
  std::int64_t slowdown_q16() {
    const std::lock_guard<std::mutex> turn(mutex_);
    return policy_.slowdown().q16();
  }

  // Closes every open variant, after a run that is under way. May be called again.
  void Close() {
    const std::lock_guard<std::mutex> turn(mutex_);
    is_closed_ = true;
    pool_.Close();
  }

 private:
  static constexpr int kRounds = 5, kRunsPerRound = 4;

  // A variant that may be chosen, and its row of the table.
  struct Candidate {
    std::size_t variant;
    Row row;
  };

  struct Samples {
    std::int64_t score_order = 0;
    std::vector<std::int64_t> runs_us, switches_us;
    bool has_failed = false;

    Row ToRow() {
      const Row switching = Measured(0, switches_us.data(), switches_us.size());
      return Measured(score_order, runs_us.data(), runs_us.size(), switching.p50_us);
    }
  };

  void Start() {
    pool_.Close();
    policy_ = Policy();
    candidates_.clear();
    failures_.clear();
    measured_runs_ = 0;
    has_table_ = true;
  }

  Status RunInTurn(const void* const* inputs, float* const* outputs, Result* result) {
    if (is_closed_) return Status::kClosed;
    if (!has_table_) return Status::kNotMeasured;
    const std::int64_t budget_us = budget_us_;
    DropFailed();
    while (!candidates_.empty()) {
      FillRows();
      const Choice choice = Chosen(budget_us);
      result->variant = candidates_[choice.index].variant;
      result->predicted_us = choice.predicted_us;
      result->feasible = choice.feasible;
      std::string error;
      const Status status = RunVariant(inputs, outputs, result, &error);
      if (status == Status::kOk) {
        policy_.Observe(rows_.data(), result->latency_us);
        result->met = result->switch_us + result->latency_us <= budget_us;
      }
      // An input that is refused is no fault of the variant.
      if (status == Status::kOk || status == Status::kNotFinite) return status;
      Drop(choice.index, status, error);
    }
    return Status::kNoVariantRuns;
  }

  // Switching to an open variant takes no time.
  void FillRows() {
    rows_.clear();
    for (const Candidate& candidate : candidates_) {
      rows_.push_back(candidate.row);
      if (pool_.IsOpen(candidate.variant)) rows_.back().switch_us = 0;
    }
  }

  // What the policy chooses; while that is being opened in the background, the row that ran last.
  Choice Chosen(std::int64_t budget_us) {
    const Current& current = policy_.current();
    if (options_.opens_in_background && current.index != Current::kNone &&
        pool_.IsOpen(candidates_[current.index].variant)) {
      const Choice wanted =
          Choose(rows_.data(), rows_.size(), budget_us, policy_.slowdown(), current);
      if (pool_.Prepare(candidates_[wanted.index].variant, candidates_[current.index].variant)) {
        return policy_.Stay(rows_.data(), budget_us);
      }
    }
    return policy_.Choose(rows_.data(), rows_.size(), budget_us);
  }

  Status RunVariant(const void* const* inputs, float* const* outputs, Result* result,
                    std::string* error) {
    OpenVariant* opened = pool_.Use(result->variant);
    if (opened == nullptr) {
      const std::int64_t start_ns = options_.now_ns();
      const Status status = pool_.Open(result->variant, &opened, error);
      result->switch_us += Since(start_ns);
      if (status != Status::kOk) return status;
    }
    const std::int64_t start_ns = options_.now_ns();
    const Status status = opened->Run(inputs, outputs, error);
    result->latency_us = Since(start_ns);
    return status;
  }

  // Rounded up, so that no latency is ever reported as nothing; also where the clock was set back.
  std::int64_t Since(std::int64_t start_ns) const {
    const std::int64_t took_ns = options_.now_ns() - start_ns;
    return internal::Clamped(took_ns / 1000 + (took_ns % 1000 > 0), 1, kMicrosecondsMax);
  }

  Status Time(std::size_t index, Samples* samples, std::string* error) {
    Variant record;
    Status status = pool_.bundle().At(index, &record);
    if (status != Status::kOk) return status;
    samples->score_order = record.score_order;
    const BlankInputs blank(pool_.bundle());
    pool_.Close();
    Result result{};
    result.variant = index;
    for (int run = 0; run < kRunsPerRound; ++run) {
      status = RunVariant(blank.data(), nullptr, &result, error);
      if (status != Status::kOk) return status;
      samples->runs_us.push_back(result.latency_us);
    }
    samples->switches_us.push_back(result.switch_us);
    return Status::kOk;
  }

  // What failed to open in the background is chosen no more.
  void DropFailed() {
    Failure failure{};
    if (!pool_.TakeFailure(&failure.variant, &failure.status, &failure.reason)) return;
    for (std::size_t i = 0; i < candidates_.size(); ++i) {
      if (candidates_[i].variant != failure.variant) continue;
      Drop(i, failure.status, failure.reason);
      return;
    }
  }

  void Drop(std::size_t index, Status status, const std::string& error) {
    const std::size_t variant = candidates_[index].variant;
    const bool is_backends = status == Status::kAllocation || status == Status::kInvocation;
    failures_.push_back({variant, status, is_backends ? error : Describe(status)});
    pool_.Close(variant);
    candidates_.erase(candidates_.begin() + static_cast<std::ptrdiff_t>(index));
    policy_.Remove(index);
  }

  const SelectorOptions options_;
  const Backend backend_;
  std::atomic<std::int64_t> budget_us_{kMicrosecondsMax};

  std::mutex mutex_;  // Of all that follows.
  VariantPool pool_;
  Policy policy_;
  std::vector<Candidate> candidates_;
  std::vector<Row> rows_;  // The candidates' now; kept for its memory.
  std::vector<Failure> failures_;
  int measured_runs_ = 0;  // Of each variant; 0 where the table was set.
  bool has_table_ = false, is_closed_ = false;
};

}  // namespace tfelastic

#endif  // TFELASTIC_BUNDLE_SELECTOR_H_
