// The selector of phones and hosts, on a backend that only counts and takes its time from the test.
#include <malloc.h>

#include <atomic>
#include <cstring>
#include <limits>
#include <new>
#include <string>
#include <thread>
#include <vector>

#include "stub_backend.h"
#include "testing.h"
#include "tfelastic/bundle_selector.h"
#include "tfelastic/mapped_file.h"
#include "tfelastic/profile.h"

namespace {

// What `new` has given and `delete` has not taken back.
std::atomic<std::int64_t> live_bytes{0};

}  // namespace

void* operator new(std::size_t size) {
  void* memory = std::malloc(size == 0 ? 1 : size);
  if (memory == nullptr) std::abort();
  live_bytes += static_cast<std::int64_t>(malloc_usable_size(memory));
  return memory;
}

void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return operator new(size); }

void operator delete(void* memory) noexcept {
  if (memory != nullptr) live_bytes -= static_cast<std::int64_t>(malloc_usable_size(memory));
  std::free(memory);
}

void operator delete(void* memory, std::size_t) noexcept { operator delete(memory); }

void operator delete(void* memory, const std::nothrow_t&) noexcept { operator delete(memory); }

namespace {

using namespace tfelastic;  // NOLINT(build/namespaces)

SelectorOptions Options(std::int64_t budget_us, std::size_t resident, bool opens_in_background) {
  SelectorOptions options;
  options.budget_us = budget_us;
  options.resident = resident;
  options.opens_in_background = opens_in_background;
  options.now_ns = Stub::NowNs;
  return options;
}

// Each wider variant is the better one, and takes 1 ms more than the next.
std::vector<Row> TableOf(const Bundle& bundle) {
  std::vector<Row> rows;
  for (std::size_t i = 0; i < bundle.variant_count(); ++i) {
    const auto place = static_cast<std::int64_t>(bundle.variant_count() - i);
    rows.push_back({place, 1000 * place, 1000 * place, 0});
  }
  return rows;
}

// A selector of a bundle on the stub, with its table.
struct Bench {
  explicit Bench(const char* path, std::size_t resident = 2, bool opens_in_background = false)
      : opened(path),
        stub(opened.bundle),
        blank(opened.bundle),
        selector(opened.bundle, stub.backend(),
                 Options(kMicrosecondsMax, resident, opens_in_background)) {
    const std::vector<Row> rows = TableOf(opened.bundle);
    for (std::size_t i = 0; i < rows.size(); ++i) stub.latencies_us[i] = rows[i].p50_us;
    CHECK(selector.SetTable(rows) == Status::kOk);
  }

  BundleResult Run() { return selector.Run(blank.data(), opened.outputs.data()); }

  BundleResult Run(std::int64_t budget_us) {
    selector.set_budget_us(budget_us);
    return Run();
  }

  std::size_t count() const { return opened.bundle.variant_count(); }

  Opened opened;
  Stub stub;
  BlankInputs blank;
  BundleSelector selector;
};

// The rows that a table gives, or why it is refused.
void PrintProfile(const char* path, const char* profile, const char* threads, const char* kernels) {
  const Opened opened(path);
  std::vector<Row> rows;
  const RunConditions conditions{std::atoi(threads), kernels};
  const File text = std::strcmp(profile, "embedded") == 0 ? File() : ReadFile(profile);
  const Bytes bytes{text.data(), text.size()};
  const Status status = std::strcmp(profile, "embedded") == 0
                            ? EmbeddedProfile(opened.bundle, 0, conditions, &rows)
                            : ReadProfile(bytes, opened.bundle, conditions, &rows);
  if (status != Status::kOk) {
    CHECK(rows.empty());
    std::printf("%s\n", Describe(status));
    return;
  }
  for (const Row& row : rows) {
    std::printf("%lld %lld %lld %lld\n", static_cast<long long>(row.score_order),
                static_cast<long long>(row.p50_us), static_cast<long long>(row.p90_us),
                static_cast<long long>(row.switch_us));
  }
}

// Follows lines of a budget and each variant's latency.
void FollowTrace(const char* path, const char* profile, const char* resident) {
  const auto most = static_cast<std::size_t>(std::atoi(resident));
  Bench bench(path, most);
  std::vector<Row> rows;
  const File text = ReadFile(profile);
  CHECK(ReadProfile({text.data(), text.size()}, bench.opened.bundle, RunConditions(), &rows) ==
        Status::kOk);
  CHECK(bench.selector.SetTable(rows) == Status::kOk);
  for (long long budget_us = 0, value = 0; std::scanf("%lld", &budget_us) == 1;) {
    for (std::int64_t& latency_us : bench.stub.latencies_us) {
      CHECK(std::scanf("%lld", &value) == 1);
      latency_us = value;
    }
    const BundleResult result = bench.Run(budget_us);
    CHECK(result.status == Status::kOk && result.failures.empty());
    std::printf("%zu %lld %lld %d %lld\n", result.variant, static_cast<long long>(result.latency_us),
                static_cast<long long>(result.predicted_us), result.feasible,
                static_cast<long long>(bench.selector.slowdown_q16()));
  }
  CHECK(bench.stub.open_most <= static_cast<std::int64_t>(most));
}

void TestFailures(const char* path) {
  Bench bench(path);
  CHECK(bench.count() >= 3);
  Stub& stub = bench.stub;
  stub.refused = {0};
  stub.broken = {1};
  for (int i = 0; i < 3; ++i) {
    const BundleResult result = bench.Run();
    CHECK(result.status == Status::kOk && result.variant == 2 && result.feasible && result.met);
    CHECK(result.failures.size() == 2);
    CHECK(result.failures[0].variant == 0 && result.failures[0].status == Status::kAllocation);
    CHECK(result.failures[0].reason == "refused by the test");
    CHECK(result.failures[1].variant == 1 && result.failures[1].status == Status::kInvocation);
    CHECK(result.failures[1].reason == "broken by the test");
  }
  CHECK(stub.open_now == 1);
  for (std::size_t i = 2; i < bench.count(); ++i) stub.broken.insert(i);
  const BundleResult none = bench.Run();
  CHECK(none.status == Status::kNoVariantRuns && none.failures.size() == bench.count());
  CHECK(stub.open_now == 0);
  CHECK(bench.selector.Measure() == Status::kNoVariantRuns);

  // Measuring leaves out what does not run; a fresh table forgets the failures.
  stub.broken = {1};
  CHECK(bench.selector.Measure() == Status::kOk);
  CHECK(bench.selector.ProfileText("device").empty());
  CHECK(bench.Run().variant == 2);
  stub.refused.clear();
  stub.broken.clear();
  CHECK(bench.selector.Measure() == Status::kOk);
  const BundleResult result = bench.Run();
  CHECK(result.variant == 0 && result.failures.empty());
  CHECK(bench.selector.SetTable({}) == Status::kProfile);
  bench.selector.Close();
  bench.selector.Close();
  CHECK(bench.Run().status == Status::kClosed && bench.selector.Measure() == Status::kClosed);
  CHECK(bench.selector.SetTable(TableOf(bench.opened.bundle)) == Status::kClosed);
  CHECK(stub.open_now == 0);
}

// A variant whose bytes were damaged after the bundle was opened, as in a file that is overwritten.
void TestDamage(const char* path) {
  Bench bench(path);
  Variant variant;
  CHECK(bench.opened.bundle.At(0, &variant) == Status::kOk);
  const std::size_t payload = static_cast<std::size_t>(bench.opened.bundle.payload().data -
                                                       bench.opened.file.data());
  bench.opened.file[payload + variant.stored_offset + variant.stored_bytes / 2] ^= 1;
  const BundleResult result = bench.Run();
  CHECK(result.status == Status::kOk && result.variant != 0);
  CHECK(!result.failures.empty() && result.failures[0].variant == 0);
  CHECK(result.failures[0].status == Status::kVariantChecksum);
  CHECK(result.failures[0].reason == Describe(Status::kVariantChecksum));
}

// A bundle whose file is replaced by another one of the same name.
void TestReplacement(const char* path, const char* other) {
  std::string error;
  MappedFile file;
  CHECK(file.Open(path, &error));
  Bundle bundle;
  CHECK(Bundle::Open(file.data(), file.size(), &bundle) == Status::kOk);
  Stub stub(bundle);
  const BlankInputs blank(bundle);
  BundleSelector selector(bundle, stub.backend(), Options(kMicrosecondsMax, 1, false));
  CHECK(selector.SetTable(TableOf(bundle)) == Status::kOk);
  const std::vector<float*> outputs(bundle.manifest().output_count, nullptr);
  CHECK(selector.Run(blank.data(), outputs.data()).variant == 0);
  CHECK(std::rename(other, path) == 0);
  for (const std::int64_t budget_us : {std::int64_t{1}, kMicrosecondsMax}) {
    selector.set_budget_us(budget_us);
    const BundleResult result = selector.Run(blank.data(), outputs.data());
    CHECK(result.status == Status::kOk && result.failures.empty() && result.switch_us >= 1);
  }
  MappedFile now;
  CHECK(now.Open(path, &error) && now.size() != file.size());
  CHECK(now.Open(path, &error) && Bundle::Open(now.data(), now.size(), &bundle) == Status::kOk);
  CHECK(!now.Open(other, &error) && now.data() == nullptr && error.find(other) != std::string::npos);
  CHECK(!now.Open(".", &error) && error.find("no file") != std::string::npos);
  CHECK(!now.Open("/dev/null", &error) && error.find("no file") != std::string::npos);
}

// The bound on measuring: all take one turn, whatever the limit.
void TestMeasuring(const char* path) {
  Bench bench(path);
  const auto count = static_cast<std::int64_t>(bench.count());
  CHECK(bench.selector.Measure(0) == Status::kOk);
  CHECK(bench.stub.openings == count && bench.stub.runs == 4 * count && bench.stub.open_most == 1);
  CHECK(bench.selector.Measure() == Status::kOk);
  CHECK(bench.stub.openings == 6 * count && bench.stub.runs == 24 * count);

  // What was measured is written, and read again.
  const std::string text = bench.selector.ProfileText("a \"phone\" \\ \xc3\xa9");
  std::vector<Row> rows;
  const Bytes bytes{reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
  CHECK(ReadProfile(bytes, bench.opened.bundle, RunConditions(), &rows) == Status::kOk);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    CHECK(rows[i].p50_us == bench.stub.latencies_us[i] && rows[i].p90_us == rows[i].p50_us);
    CHECK(rows[i].switch_us >= 1);
  }
  std::printf("%s", text.c_str());
  CHECK(bench.selector.ProfileText("a\nb").empty());
  bench.selector.SetTable(rows);
  CHECK(bench.selector.ProfileText("a").empty());
}

// 1,000 switches, each to a variant that is not open, and 100,000 runs leave no byte behind.
void TestMemory(const char* path, bool opens_in_background) {
  const std::size_t resident = opens_in_background ? 2 : 1;
  Bench bench(path, resident, opens_in_background);
  CHECK(bench.count() > resident);
  const auto turn = [&] {
    for (std::size_t wanted = 0; wanted < bench.count(); ++wanted) {
      const std::int64_t budget_us = bench.stub.latencies_us[wanted] * 5 / 4;
      BundleResult result = bench.Run(budget_us);
      while (result.variant != wanted) {
        std::this_thread::yield();  // To the thread that opens.
        result = bench.Run(budget_us);
      }
      CHECK(result.status == Status::kOk && result.met);
    }
  };
  turn();
  turn();
  const std::int64_t bytes = live_bytes, openings = bench.stub.openings;
  const std::int64_t turns = 1000 / static_cast<std::int64_t>(bench.count()) + 1;
  for (std::int64_t i = 0; i < turns; ++i) turn();
  CHECK(bench.stub.openings == openings + turns * static_cast<std::int64_t>(bench.count()));
  CHECK(bench.stub.open_most == static_cast<std::int64_t>(resident));
  CHECK(live_bytes == bytes);
  for (int i = 0; i < 100000; ++i) CHECK(bench.Run(1500).status == Status::kOk);
  CHECK(live_bytes == bytes);
}

// Eight threads run and change the budget, and the selector closes among them.
void TestThreads(const char* path, bool opens_in_background) {
  Bench bench(path, 2, opens_in_background);
  std::atomic<std::int64_t> done{0}, closed{0};
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 8; ++thread) {
    threads.emplace_back([&, thread] {
      const Opened own(path);
      const BlankInputs blank(own.bundle);
      for (int i = 0;; ++i) {
        bench.selector.set_budget_us(i % 16 == thread ? 1 : kMicrosecondsMax);
        const BundleResult result = bench.selector.Run(blank.data(), own.outputs.data());
        if (result.status == Status::kClosed) break;
        CHECK(result.status == Status::kOk);
        ++done;
      }
      ++closed;
    });
  }
  while (done < 2000) std::this_thread::yield();
  bench.selector.Close();
  CHECK(bench.stub.open_now == 0);
  for (std::thread& thread : threads) thread.join();
  CHECK(closed == 8 && bench.stub.open_most <= 2 && bench.stub.open_now == 0);
  CHECK(bench.stub.runs >= done);
}

// While a variant opens, the one that ran last goes on.
void TestBackground(const char* path) {
  Bench bench(path, 2, true);
  const std::size_t last = bench.count() - 1;
  BundleResult result = bench.Run();
  CHECK(result.variant == 0 && result.switch_us >= 1);
  bench.stub.holds_openings = true;
  for (int i = 0; i < 20; ++i) {
    result = bench.Run(1500);
    CHECK(result.status == Status::kOk && result.variant == 0 && result.switch_us == 0);
    CHECK(!result.feasible && !result.met && result.latency_us == bench.stub.latencies_us[0]);
    CHECK(result.predicted_us >= result.latency_us);
  }
  CHECK(bench.stub.openings == 1);
  bench.stub.holds_openings = false;
  while (result.variant != last) result = bench.Run(1500);
  CHECK(result.switch_us == 0 && result.feasible && result.met);
  CHECK(bench.stub.openings == 2 && bench.stub.open_most == 2);

  // What fails to open there is among the failures, and the next best one runs.
  bench.selector.SetTable(TableOf(bench.opened.bundle));
  bench.stub.refused = {last};
  bench.Run(kMicrosecondsMax);
  while (result.failures.empty()) result = bench.Run(1500);
  CHECK(result.failures.size() == 1 && result.failures[0].variant == last);
  CHECK(result.failures[0].reason == "refused by the test");
  while (result.variant != last - 1) result = bench.Run(1500);
  CHECK(result.status == Status::kOk && bench.stub.open_most == 2);

  // Closing waits for what is being opened.
  bench.selector.SetTable(TableOf(bench.opened.bundle));
  bench.stub.refused.clear();
  bench.Run(kMicrosecondsMax);
  bench.stub.holds_openings = true;
  bench.Run(1500);
  std::thread release([&] { bench.stub.holds_openings = false; });
  bench.selector.Close();
  release.join();
  CHECK(bench.stub.open_now == 0);
}

// Whatever the clock does, latencies stay in their range, and the choice comes back.
void TestClock(const char* path) {
  Bench bench(path);
  const std::int64_t jumps_ns[] = {-3600000000000, 3600000000000, -1, 7, -86400000000000,
                                   std::numeric_limits<std::int64_t>::max() / 4};
  const std::int64_t budget_us = bench.stub.latencies_us[0] * 3 / 2;
  for (const std::int64_t jump_ns : jumps_ns) {
    std::vector<std::int64_t> usual = bench.stub.latencies_us;
    bench.stub.latencies_us.assign(usual.size(), jump_ns / 1000);
    const BundleResult jumped = bench.Run(budget_us);
    CHECK(jumped.status == Status::kOk);
    CHECK(jumped.latency_us >= 1 && jumped.latency_us <= kMicrosecondsMax);
    bench.stub.latencies_us = usual;
    for (int i = 0; i < 100; ++i) CHECK(bench.Run(budget_us).status == Status::kOk);
    const BundleResult result = bench.Run(budget_us);
    CHECK(result.variant == 0 && result.feasible && result.met);
  }
}

// A number that is not finite is refused, and is no fault of the variant.
void TestInputs(const char* path) {
  Bench bench(path);
  const Bundle& bundle = bench.opened.bundle;
  std::vector<const void*> inputs(bench.blank.data(),
                                  bench.blank.data() + bundle.manifest().input_count);
  std::size_t values = inputs.size();
  std::vector<float> infinite;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    InputSpec spec;
    CHECK(bundle.Input(i, &spec) == Status::kOk);
    if (spec.kind != InputKind::kValues) continue;
    infinite.assign(spec.shape.Elements(), std::numeric_limits<float>::infinity());
    values = i;
  }
  CHECK(values < inputs.size());
  inputs[values] = infinite.data();
  const BundleResult refused = bench.selector.Run(inputs.data(), bench.opened.outputs.data());
  CHECK(refused.status == Status::kNotFinite && refused.failures.empty() && bench.stub.runs == 0);
  const BundleResult result = bench.Run();
  CHECK(result.status == Status::kOk && result.variant == 0);
}

}  // namespace

int main(int count, char** arguments) {
  if (count < 3) return 2;
  const std::string mode = arguments[1];
  const char* path = arguments[2];
  if (mode == "profile" && count == 6) {
    PrintProfile(path, arguments[3], arguments[4], arguments[5]);
  } else if (mode == "trace" && count == 5) {
    FollowTrace(path, arguments[3], arguments[4]);
  } else if (mode == "replacement" && count == 4) {
    TestReplacement(path, arguments[3]);
  } else if (mode == "failures") {
    TestFailures(path);
  } else if (mode == "damage") {
    TestDamage(path);
  } else if (mode == "measuring") {
    TestMeasuring(path);
  } else if (mode == "memory") {
    TestMemory(path, false);
    TestMemory(path, true);
  } else if (mode == "threads") {
    TestThreads(path, false);
    TestThreads(path, true);
  } else if (mode == "background") {
    TestBackground(path);
  } else if (mode == "clock") {
    TestClock(path);
  } else if (mode == "inputs") {
    TestInputs(path);
  } else {
    return 2;
  }
  return 0;
}
