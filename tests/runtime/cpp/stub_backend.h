// Stands for an interpreter: whether a variant opens and how long a run takes is what the test says.
#ifndef TESTS_RUNTIME_CPP_STUB_BACKEND_H_
#define TESTS_RUNTIME_CPP_STUB_BACKEND_H_

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "testing.h"
#include "tfelastic/backend.h"
#include "tfelastic/bundle_selector.h"
#include "tfelastic/sha256.h"

class Stub {
 public:
  explicit Stub(const tfelastic::Bundle& bundle) : latencies_us(bundle.variant_count(), 1) {
    for (std::size_t i = 0; i < bundle.variant_count(); ++i) {
      tfelastic::Variant variant;
      CHECK(bundle.At(i, &variant) == tfelastic::Status::kOk);
      variants_.push_back(variant);
    }
  }

  tfelastic::Backend backend() { return {this, Open, Run, Close, Names}; }

  // The clock, which only runs move, and the test.
  static std::int64_t NowNs() { return now_ns; }

  inline static std::atomic<std::int64_t> now_ns{1000000000};
  std::vector<std::int64_t> latencies_us;
  std::set<std::size_t> refused, broken;  // Do not open; open, but do not run.
  std::atomic<bool> holds_openings{false};
  std::atomic<std::int64_t> openings{0}, open_now{0}, open_most{0}, runs{0};

 private:
  struct OpenModel {
    std::size_t variant;
    std::int64_t runs;  // Not atomic: two threads in one model are a race that the sanitizer finds.
  };

  std::size_t VariantOf(tfelastic::Bytes tflite) const {
    for (std::size_t i = 0; i < variants_.size(); ++i) {
      if (tfelastic::Sha256(tflite).Matches(variants_[i].sha256)) return i;
    }
    CHECK(false);
    return 0;
  }

  static void* Open(void* context, const tfelastic::Model& model, int, std::string* error) {
    auto* self = static_cast<Stub*>(context);
    const std::size_t variant = self->VariantOf(model.tflite);
    while (self->holds_openings) std::this_thread::yield();
    if (self->refused.count(variant) > 0) {
      *error = "refused by the test";
      return nullptr;
    }
    ++self->openings;
    const std::int64_t now = ++self->open_now;
    if (now > self->open_most) self->open_most = now;
    return new OpenModel{variant, 0};
  }

  static bool Run(void* context, void* opened, const void* const*, void* const*, std::string* error) {
    auto* self = static_cast<Stub*>(context);
    auto* model = static_cast<OpenModel*>(opened);
    if (self->broken.count(model->variant) > 0) {
      *error = "broken by the test";
      return false;
    }
    // The first run belongs to the opening, which may happen beside another variant's run.
    if (model->runs++ == 0) return true;
    ++self->runs;
    now_ns += 1000 * self->latencies_us[model->variant];
    return true;
  }

  static void Close(void* context, void* opened) {
    --static_cast<Stub*>(context)->open_now;
    delete static_cast<OpenModel*>(opened);
  }

  static tfelastic::RuntimeNames Names(void*) { return {"stub", nullptr}; }

  std::vector<tfelastic::Variant> variants_;
};

#endif  // TESTS_RUNTIME_CPP_STUB_BACKEND_H_
