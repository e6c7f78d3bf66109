// SPDX-License-Identifier: Apache-2.0
// The variants that are open: at most so many, the most recently used ones; one more may be opening in
// the background. Not thread-safe.
#ifndef TFELASTIC_VARIANT_POOL_H_
#define TFELASTIC_VARIANT_POOL_H_

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tfelastic/backend.h"
#include "tfelastic/bundle.h"
#include "tfelastic/open_variant.h"
#include "tfelastic/status.h"

namespace tfelastic {

class VariantPool {
 public:
  // At most `resident` variants, at least one, are open at once, one that is being opened among them.
  VariantPool(const Bundle& bundle, const Backend& backend, int threads, std::size_t resident)
      : bundle_(bundle),
        backend_(backend),
        threads_(threads),
        resident_(std::max<std::size_t>(resident, 1)) {
    open_.reserve(resident_);
  }
  VariantPool(const VariantPool&) = delete;
  VariantPool& operator=(const VariantPool&) = delete;

  ~VariantPool() { Close(); }

  const Bundle& bundle() const { return bundle_; }

  bool IsOpen(std::size_t variant) const {
    return std::any_of(open_.begin(), open_.end(),
                       [&](const Entry& entry) { return entry.variant == variant; });
  }

  // The variant, from now on the most recently used one; null where it is not open.
  OpenVariant* Use(std::size_t variant) {
    for (auto entry = open_.begin(); entry != open_.end(); ++entry) {
      if (entry->variant != variant) continue;
      std::rotate(entry, entry + 1, open_.end());
      return open_.back().opened.get();
    }
    return nullptr;
  }

  // Opens a variant that is not open, and waits for it. Room is made first: one variant more in memory
  // is what `resident` rules out.
  Status Open(std::size_t variant, OpenVariant** opened, std::string* error) {
    if (opening_ != nullptr && opening_->variant == variant) {
      Finish();
      *opened = Use(variant);
      if (*opened != nullptr) return Status::kOk;
      std::size_t failed = variant;
      Status status = Status::kAllocation;
      TakeFailure(&failed, &status, error);
      return status;
    }
    const std::size_t taken = opening_ != nullptr ? 1 : 0;
    while (!open_.empty() && open_.size() + taken >= resident_) open_.erase(open_.begin());
    auto fresh = std::make_unique<OpenVariant>(backend_);
    const Status status = fresh->Open(bundle_, variant, threads_, error);
    if (status != Status::kOk) return status;
    *opened = fresh.get();
    open_.push_back({variant, std::move(fresh)});
    return Status::kOk;
  }

  // Begins to open a variant in the background, where `kept` may stay open beside it; true while any is
  // being opened so, false where the variant is open or has to be opened at once.
  bool Prepare(std::size_t variant, std::size_t kept) {
    Collect();
    if (IsOpen(variant) || failed_ != nullptr || resident_ < 2) return false;
    if (opening_ != nullptr) return true;
    Use(kept);
    while (open_.size() >= resident_) open_.erase(open_.begin());
    opening_ = std::make_unique<Opening>(variant, backend_);
    Opening* opening = opening_.get();
    opening->thread = std::thread([this, opening] {
      opening->status = opening->opened->Open(bundle_, opening->variant, threads_, &opening->error);
      opening->is_done.store(true, std::memory_order_release);
    });
    return true;
  }

  // Takes the variant that could not be opened in the background, where there is one.
  bool TakeFailure(std::size_t* variant, Status* status, std::string* error) {
    Collect();
    if (failed_ == nullptr) return false;
    *variant = failed_->variant;
    *status = failed_->status;
    *error = std::move(failed_->error);
    failed_.reset();
    return true;
  }

  void Close(std::size_t variant) {
    open_.erase(std::remove_if(open_.begin(), open_.end(),
                               [&](const Entry& entry) { return entry.variant == variant; }),
                open_.end());
  }

  void Close() {
    Finish();
    failed_.reset();
    open_.clear();
  }

 private:
  struct Entry {
    std::size_t variant;
    std::unique_ptr<OpenVariant> opened;
  };

  struct Opening {
    Opening(std::size_t index, const Backend& backend)
        : variant(index), opened(std::make_unique<OpenVariant>(backend)) {}

    std::size_t variant;
    std::unique_ptr<OpenVariant> opened;
    Status status = Status::kOk;
    std::string error;
    std::atomic<bool> is_done{false};
    std::thread thread;
  };

  // Takes over what has been opened in the background by now.
  void Collect() {
    if (opening_ != nullptr && opening_->is_done.load(std::memory_order_acquire)) Finish();
  }

  // Waits for what is being opened in the background.
  void Finish() {
    if (opening_ == nullptr) return;
    opening_->thread.join();
    if (opening_->status == Status::kOk) {
      open_.push_back({opening_->variant, std::move(opening_->opened)});
      opening_.reset();
    } else {
      failed_ = std::move(opening_);
      failed_->opened.reset();
    }
  }

  const Bundle bundle_;
  const Backend backend_;
  const int threads_;
  const std::size_t resident_;
  std::vector<Entry> open_;  // The least recently used one first.
  std::unique_ptr<Opening> opening_, failed_;
};

}  // namespace tfelastic

#endif  // TFELASTIC_VARIANT_POOL_H_
