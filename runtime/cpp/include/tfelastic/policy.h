// Which variant to run within a budget (runtime/SPEC.md, section 4): integers alone, so that every
// language agrees to the last bit.
#ifndef TFELASTIC_POLICY_H_
#define TFELASTIC_POLICY_H_

#include <cstddef>
#include <cstdint>

namespace tfelastic {

constexpr std::int64_t kMicrosecondsMax = 2147483647;

// A variant's accuracy, and its latencies on this very device: 1 <= p50_us <= p90_us <= 2^31 - 1.
struct Row {
  std::int64_t accuracy_ppm;
  std::int64_t p50_us;
  std::int64_t p90_us;
};

struct Choice {
  std::size_t index;
  std::int64_t predicted_us;
  bool feasible;  // Whether any row was predicted to keep the budget.
};

// How much slower the device is than when it was measured: one factor for all variants, learned from
// each run.
class Slowdown {
 public:
  // With 16 bits behind the point: 65536 is 1.0.
  std::int64_t q16() const { return q16_; }

  std::int64_t Predicted(const Row& row) const { return Ceil(row.p90_us * q16_, kOne); }

  // Learns from a run of a row that took so long.
  void Observe(const Row& row, std::int64_t observed_us) {
    const std::int64_t took = Clamped(observed_us, 1, kMicrosecondsMax);
    lows_[next_] = Clamped(took * kOne / row.p90_us, kOne / 16, kOne * 64);
    highs_[next_] = Clamped(took * kOne / row.p50_us, kOne / 16, kOne * 64);
    const std::int64_t newest = lows_[next_], second = SecondLargest(lows_);
    const std::int64_t low = newest < second ? newest : second, high = SecondLargest(highs_);
    next_ = (next_ + 1) % kRuns;
    if (low > q16_) {
      q16_ = low < 2 * q16_ ? low : 2 * q16_;
    } else if (high < q16_) {
      q16_ -= Ceil(q16_ - high, 32);
    }
  }

 private:
  static constexpr std::int64_t kOne = 65536;
  static constexpr std::size_t kRuns = 8;

  static std::int64_t Ceil(std::int64_t of, std::int64_t by) { return (of + by - 1) / by; }

  static std::int64_t Clamped(std::int64_t value, std::int64_t low, std::int64_t high) {
    return value < low ? low : value > high ? high : value;
  }

  static std::int64_t SecondLargest(const std::int64_t (&values)[kRuns]) {
    std::int64_t largest = 0, second = 0;
    for (const std::int64_t value : values) {
      if (value > largest) {
        second = largest;
        largest = value;
      } else if (value > second) {
        second = value;
      }
    }
    return second;
  }

  std::int64_t q16_ = kOne;
  std::size_t next_ = 0;
  std::int64_t lows_[kRuns] = {kOne, kOne, kOne, kOne, kOne, kOne, kOne, kOne};
  std::int64_t highs_[kRuns] = {kOne, kOne, kOne, kOne, kOne, kOne, kOne, kOne};
};

// Chooses among `count` rows, at least one: the most accurate that is predicted to keep the budget;
// where none is, the fastest.
inline Choice Choose(const Row* rows, std::size_t count, std::int64_t budget_us,
                     const Slowdown& slowdown) {
  std::size_t best = count, fastest = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const Row &row = rows[i], &least = rows[fastest];
    if (row.p90_us < least.p90_us ||
        (row.p90_us == least.p90_us && row.accuracy_ppm > least.accuracy_ppm)) {
      fastest = i;
    }
    if (slowdown.Predicted(row) > budget_us) continue;
    if (best == count || row.accuracy_ppm > rows[best].accuracy_ppm ||
        (row.accuracy_ppm == rows[best].accuracy_ppm && row.p90_us < rows[best].p90_us)) {
      best = i;
    }
  }
  const bool feasible = best != count;
  const std::size_t index = feasible ? best : fastest;
  return {index, slowdown.Predicted(rows[index]), feasible};
}

}  // namespace tfelastic

#endif  // TFELASTIC_POLICY_H_
