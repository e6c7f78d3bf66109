// SPDX-License-Identifier: Apache-2.0
// Reading a measured table into the policy's rows (runtime/SPEC.md, section 6).
#ifndef TFELASTIC_PROFILE_H_
#define TFELASTIC_PROFILE_H_

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "tfelastic/bundle.h"
#include "tfelastic/json_check.h"
#include "tfelastic/manifest.h"
#include "tfelastic/policy.h"
#include "tfelastic/sha256.h"
#include "tfelastic/status.h"

namespace tfelastic {

// How the variants will run. A table that was measured otherwise is refused.
struct RunConditions {
  int threads = 1;
  const char* kernels = nullptr;  // Such as "xnnpack"; null where that is unknown.
};

namespace internal {

// Making the variant ready and its first inference, which its latency does not count; 0 where unknown.
inline std::int64_t SwitchUs(Json latency) {
  Json known;
  std::int64_t switch_us = 0, first_us = 0;
  if (!Known(latency, "switch_us", &known) || !known.Integer(0, kMicrosecondsMax, &switch_us) ||
      switch_us == 0) {
    return 0;
  }
  if (Known(latency, "first_us", &known)) ReadMicroseconds(known, &first_us);
  return Least(switch_us + first_us, kMicrosecondsMax);
}

// Whether a table that is well-formed was measured with this bundle, and as it will run.
inline bool IsOf(Json profile, const Bundle& bundle, const RunConditions& conditions) {
  Json threads[1], known;
  std::uint8_t digest[kDigestBytes];
  return Fields(profile, Keys::kAtLeast, {"threads"}, threads) &&
         threads[0].IsInteger(conditions.threads, conditions.threads) &&
         (conditions.kernels == nullptr || !Known(profile, "kernels", &known) ||
          known.IsText(conditions.kernels)) &&
         (!Known(profile, "bundle_sha256", &known) ||
          (ReadDigest(known, digest) && Sha256(bundle.payload()).Matches(digest)));
}

inline Status ReadRows(Json profile, const Bundle& bundle, const RunConditions& conditions,
                       std::vector<Row>* rows) {
  if (!IsOf(profile, bundle, conditions)) return Status::kProfile;
  Json latencies[1];
  if (!Fields(profile, Keys::kAtLeast, {"latencies"}, latencies)) return Status::kProfile;
  std::vector<Row> found(bundle.variant_count());
  for (std::size_t i = 0; i < found.size(); ++i) {
    Variant variant;
    const Status status = bundle.At(i, &variant);
    if (status != Status::kOk) return status;
    Json row[1], fields[2];
    if (!Fields(latencies[0], Keys::kAtLeast, {variant.name}, row) ||
        !Fields(row[0], Keys::kAtLeast, {"p50_us", "p90_us"}, fields) ||
        !ReadMicroseconds(fields[0], &found[i].p50_us) ||
        !ReadMicroseconds(fields[1], &found[i].p90_us)) {
      return Status::kProfile;
    }
    found[i].score_order = variant.score_order;
    found[i].switch_us = SwitchUs(row[0]);
  }
  *rows = std::move(found);
  return Status::kOk;
}

}  // namespace internal

// Reads the text of a `profile.json` to a row for each of the bundle's variants, in its order. On failure
// `rows` stay as they were.
inline Status ReadProfile(Bytes text, const Bundle& bundle, const RunConditions& conditions,
                          std::vector<Row>* rows) {
  const Status syntax = internal::JsonCheck(text).Run();
  if (syntax != Status::kOk) return syntax == Status::kLimit ? syntax : Status::kProfile;
  const char* begin = reinterpret_cast<const char*>(text.data);
  const internal::Json profile(begin, begin + text.size);
  internal::Json format[1], device[1], name[1];
  if (!internal::Fields(profile, internal::Keys::kAtLeast, {"format"}, format) ||
      !format[0].IsInteger(1, 1) || !internal::IsProfile(profile, bundle.manifest()) ||
      !internal::Fields(profile, internal::Keys::kAtLeast, {"device"}, device) ||
      !internal::Fields(device[0], internal::Keys::kAtLeast, {"name"}, name) ||
      !name[0].IsText(kTextMax)) {
    return Status::kProfile;
  }
  return internal::ReadRows(profile, bundle, conditions, rows);
}

// Reads the table at `index` of those that travel in the bundle.
inline Status EmbeddedProfile(const Bundle& bundle, std::size_t index,
                              const RunConditions& conditions,
                              std::vector<Row>* rows) {
  internal::JsonItems items(bundle.manifest().profiles);
  for (std::size_t i = 0; i <= index; ++i) {
    if (!items.Next()) return Status::kProfile;
  }
  return internal::ReadRows(items.value(), bundle, conditions, rows);
}

}  // namespace tfelastic

#endif  // TFELASTIC_PROFILE_H_
