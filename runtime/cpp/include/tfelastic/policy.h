// SPDX-License-Identifier: Apache-2.0
// Which variant to run within a budget (runtime/SPEC.md, section 4): integers alone, so that every
// language agrees to the last bit.
#ifndef TFELASTIC_POLICY_H_
#define TFELASTIC_POLICY_H_

#include <cstddef>
#include <cstdint>

namespace tfelastic {

constexpr std::int64_t kMicrosecondsMax = 2147483647;

// A variant's score, the higher the better, its latencies on this very device, 1 <= p50_us <= p90_us
// <= 2^31 - 1, and the time to make it ready: 0 where it is resident, or where that is unknown.
struct Row {
  std::int64_t score_order;
  std::int64_t p50_us;
  std::int64_t p90_us;
  std::int64_t switch_us = 0;
};

struct Choice {
  std::size_t index;
  std::int64_t predicted_us;  // With the time of switching.
  bool feasible;              // Whether the prediction keeps the budget.
};

namespace internal {

constexpr std::int64_t kOne = 65536;  // 1.0, with 16 bits behind the point.

inline std::int64_t Least(std::int64_t a, std::int64_t b) { return a < b ? a : b; }

inline std::int64_t Greatest(std::int64_t a, std::int64_t b) { return a > b ? a : b; }

inline std::int64_t Clamped(std::int64_t value, std::int64_t low, std::int64_t high) {
  return Least(Greatest(value, low), high);
}

}  // namespace internal

// How much slower the device is than when it was measured: one factor for all variants, learned from
// each run.
class Slowdown {
 public:
  // With 16 bits behind the point: 65536 is 1.0.
  std::int64_t q16() const { return level_; }

  // The relative spread that predictions use, likewise.
  std::int64_t spread_q16() const { return spread_; }

  std::int64_t Predicted(const Row& row) const {
    const std::int64_t upper = level_ + level_ * spread_ / kOne;
    return (internal::Greatest(row.p90_us * level_, row.p50_us * upper) + kOne - 1) / kOne;
  }

  // Learns from a run of a row that took so long, without the time of switching to it.
  void Observe(const Row& row, std::int64_t observed_us) {
    const std::int64_t took = internal::Clamped(observed_us, 1, kMicrosecondsMax);
    const std::int64_t run = internal::Clamped(took * kOne / row.p50_us, kOne / 16, kOne * 64);
    if (runs_ == 0) {
      runs_ = 1;
      deviation_ = internal::Clamped(7 * (row.p90_us - row.p50_us) * kOne / (8 * row.p50_us),
                                     kOne / 32, kOne / 2);
    }
    if (latest_p50_us_ != row.p50_us) {
      latest_ = 0;  // The tables of two variants may err in different ways, which is no noise.
      latest_p50_us_ = row.p50_us;
    }
    const std::int64_t tolerance = internal::Clamped(4 * deviation_, kOne / 8, kOne / 2);
    const std::int64_t band = mean_ * tolerance / kOne;
    if (run > mean_ + band) {
      ObserveSlow(run, tolerance);
    } else if (run < mean_ - band) {
      ObserveFast(run, tolerance);
    } else {
      ObserveUsual(run, tolerance);
    }
  }

 private:
  static constexpr std::int64_t kOne = internal::kOne;
  static constexpr std::int64_t kRiseRuns = 8, kFallRuns = 12, kLastingRuns = 4, kDoubts = 2,
                                kTrialRuns = 8, kPatienceMax = 64;

  void ObserveSlow(std::int64_t run, std::int64_t tolerance) {
    if (trial_ > 0) {
      const std::int64_t patience = internal::Least(2 * patience_, kPatienceMax);
      Learn(run, tolerance);
      patience_ = patience;
      trial_ = 0;
      MoveTo(run);
    } else if (before_ != 0) {
      Learn(run, tolerance);
      MoveTo(run);
    } else if (slow_ != 0) {
      const std::int64_t factor = slow_ * kOne / mean_;
      Learn(run, tolerance);
      MoveTo(internal::Least(run, slow_));
      pending_ = factor;
    } else if (run * kOne <= trusted_ * mean_) {
      const std::int64_t before = mean_;
      Learn(run, tolerance);
      MoveTo(run);
      before_ = before;
    } else {
      slow_ = run;
      fast_runs_ = 0;
    }
  }

  void ObserveFast(std::int64_t run, std::int64_t tolerance) {
    Learn(run, tolerance);
    if (before_ != 0) {
      if (++doubts_ == kDoubts) {
        trusted_ = mean_ * kOne / before_ - 1;
        doubts_ = 0;
      }
      MoveTo(before_);
    } else if (fast_runs_ + 1 >= patience_) {
      MoveTo(run);
      trial_ = kTrialRuns;
    } else {
      slow_ = 0;
      ++fast_runs_;
    }
  }

  void ObserveUsual(std::int64_t run, std::int64_t tolerance) {
    runs_ = internal::Least(runs_ + 1, kFallRuns);
    if (run >= mean_) {
      mean_ += (run - mean_) / internal::Least(runs_, kRiseRuns);
    } else {
      mean_ -= (mean_ - run) / runs_;
    }
    if (before_ != 0) doubts_ = 0;
    if (pending_ != 0 && runs_ >= kLastingRuns) {
      // The next load may be somewhat heavier than the heaviest until now.
      trusted_ = internal::Greatest(trusted_, pending_ + pending_ / 8);
      pending_ = doubts_ = 0;
    }
    Learn(run, tolerance);
    const std::int64_t highest = mean_ + mean_ * spread_ / (2 * kOne);
    level_ = internal::Least(internal::Greatest(level_, mean_), highest);
    slow_ = before_ = fast_runs_ = 0;
  }

  // Learns how much successive runs of one variant differ.
  void Learn(std::int64_t run, std::int64_t tolerance) {
    if (latest_ != 0) {
      const std::int64_t larger = internal::Greatest(run, latest_);
      const std::int64_t smaller = internal::Least(run, latest_);
      const std::int64_t difference =
          internal::Least((larger - smaller) * kOne / larger, tolerance);
      if (difference >= deviation_) {
        deviation_ += (difference - deviation_) / 64;
      } else {
        deviation_ -= (deviation_ - difference) / 64;
      }
    }
    latest_ = run;
    spread_ = internal::Clamped(spread_, deviation_, 4 * deviation_ / 3);
    if (trial_ > 0 && --trial_ == 0) patience_ = 1;
  }

  void MoveTo(std::int64_t level) {
    level_ = mean_ = level;
    runs_ = 1;
    slow_ = before_ = pending_ = fast_runs_ = 0;
  }

  std::int64_t level_ = kOne;
  std::int64_t spread_ = 0;         // 0 before the first run.
  std::int64_t mean_ = kOne;        // Of the runs since the last change of level.
  std::int64_t deviation_ = 0;      // Mean relative difference between successive runs.
  std::int64_t runs_ = 0;           // In the mean, at most 12.
  std::int64_t latest_ = 0;         // The latest run's slowdown, or 0.
  std::int64_t latest_p50_us_ = 0;  // The median latency of the variant that it was of.
  std::int64_t slow_ = 0;           // A slow run that waits for confirmation, or 0.
  std::int64_t before_ = 0;         // The mean before a slow run that was believed at once, or 0.
  std::int64_t trusted_ = 0;        // Slow runs up to this factor of the mean are believed at once.
  std::int64_t doubts_ = 0;         // Runs wrongly believed at once since the last load.
  std::int64_t pending_ = 0;        // The factor of a load that is trusted once it has lasted, or 0.
  std::int64_t fast_runs_ = 0;      // Clearly fast runs in succession,
  std::int64_t patience_ = 1;       // and how many of them lower the slowdown.
  std::int64_t trial_ = 0;          // Runs for which a slow one still refutes the last lowering.
};

// The variant that ran last.
struct Current {
  static constexpr std::size_t kNone = static_cast<std::size_t>(-1);

  std::size_t index = kNone;
  std::int64_t runs = 0;       // Since the switch to it, at most 64.
  std::int64_t unused_us = 0;  // What these runs left of their budgets.
};

// Chooses among `count` rows, at least one: the best that is predicted to keep the budget, and to
// which a switch pays; where there is none, the fastest.
inline Choice Choose(const Row* rows, std::size_t count, std::int64_t budget_us,
                     const Slowdown& slowdown, const Current& current = Current()) {
  std::size_t fastest = 0;
  for (std::size_t i = 1; i < count; ++i) {
    const Row &row = rows[i], &least = rows[fastest];
    const std::int64_t mine = slowdown.Predicted(row), other = slowdown.Predicted(least);
    if (mine != other ? mine < other
        : row.score_order != least.score_order ? row.score_order > least.score_order
        : row.p90_us != least.p90_us           ? row.p90_us < least.p90_us
                                               : row.p50_us < least.p50_us) {
      fastest = i;
    }
  }
  const bool unconditional =
      current.index == Current::kNone ||
      // A variant that is slower and worse than the fastest one is left without conditions.
      rows[current.index].score_order < rows[fastest].score_order;
  const std::int64_t limit = unconditional ? 0 : slowdown.Predicted(rows[current.index]);
  const auto cost = [&](std::size_t i) {
    return slowdown.Predicted(rows[i]) + (i == current.index ? 0 : rows[i].switch_us);
  };
  const auto allowed = [&](std::size_t i) {
    const std::int64_t predicted = slowdown.Predicted(rows[i]), total = cost(i);
    if (unconditional || i == current.index) return predicted <= budget_us;
    if (limit > budget_us || total <= limit) return total <= budget_us;
    return predicted <= budget_us && (total <= budget_us || current.runs >= 64) &&
           current.unused_us >= rows[i].switch_us;
  };
  std::size_t best = count;
  for (std::size_t i = 0; i < count; ++i) {
    const Row& row = rows[i];
    if (row.score_order < rows[fastest].score_order || !allowed(i)) continue;
    if (best == count) {
      best = i;
      continue;
    }
    const Row& other = rows[best];
    if (row.score_order != other.score_order ? row.score_order > other.score_order
        : cost(i) != cost(best)              ? cost(i) < cost(best)
        : row.p90_us != other.p90_us         ? row.p90_us < other.p90_us
                                             : row.p50_us < other.p50_us) {
      best = i;
    }
  }
  if (best == count) best = fastest;
  return {best, cost(best), cost(best) <= budget_us};
}

// The policy with its state: Choose, run that variant, Observe, and again.
class Policy {
 public:
  Choice Choose(const Row* rows, std::size_t count, std::int64_t budget_us) {
    const Choice choice = tfelastic::Choose(rows, count, budget_us, slowdown_, current_);
    if (current_.index != choice.index) current_ = {choice.index, 0, 0};
    budget_us_ = budget_us;
    return choice;
  }

  // Learns what the chosen row took, without the time of switching.
  void Observe(const Row* rows, std::int64_t observed_us) {
    const std::int64_t took = internal::Greatest(observed_us, 1);
    const std::int64_t left = internal::Greatest(budget_us_ - took, 0);
    current_.runs = internal::Least(current_.runs + 1, 64);
    current_.unused_us =
        internal::Least(current_.unused_us + left, std::int64_t{1} << 40);
    slowdown_.Observe(rows[current_.index], observed_us);
  }

  // Runs the current row once more while the one that Choose would take is being made ready.
  Choice Stay(const Row* rows, std::int64_t budget_us) {
    budget_us_ = budget_us;
    const std::int64_t predicted_us = slowdown_.Predicted(rows[current_.index]);
    return {current_.index, predicted_us, predicted_us <= budget_us};
  }

  // Forgets the row at `index`, which is no longer among those that are chosen from.
  void Remove(std::size_t index) {
    if (current_.index == index) {
      current_ = Current();
    } else if (current_.index != Current::kNone && current_.index > index) {
      --current_.index;
    }
  }

  const Slowdown& slowdown() const { return slowdown_; }
  const Current& current() const { return current_; }

 private:
  Slowdown slowdown_;
  Current current_;
  std::int64_t budget_us_ = 1;
};

}  // namespace tfelastic

#endif  // TFELASTIC_POLICY_H_
