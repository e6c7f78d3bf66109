// SPDX-License-Identifier: Apache-2.0
// Writing a measured table (runtime/SPEC.md, section 6), so that an app measures once and keeps it.
#ifndef TFELASTIC_PROFILE_TEXT_H_
#define TFELASTIC_PROFILE_TEXT_H_

#include <cstddef>
#include <string>
#include <vector>

#include "tfelastic/backend.h"
#include "tfelastic/bundle.h"
#include "tfelastic/policy.h"
#include "tfelastic/profile.h"
#include "tfelastic/sha256.h"
#include "tfelastic/status.h"

namespace tfelastic {
namespace internal {

inline void AppendHexadecimal(unsigned byte, std::string* text) {
  static constexpr char kDigits[] = "0123456789abcdef";
  *text += kDigits[byte >> 4 & 0xfu];
  *text += kDigits[byte & 0xfu];
}

// A JSON string of UTF-8.
inline std::string Quoted(const std::string& plain) {
  std::string text = "\"";
  for (const char each : plain) {
    const auto byte = static_cast<unsigned char>(each);
    if (byte < 0x20) {
      text += "\\u00";
      AppendHexadecimal(byte, &text);
      continue;
    }
    if (each == '"' || each == '\\') text += '\\';
    text += each;
  }
  return text + "\"";
}

// A variant's entry. A row's `switch_us` holds the first inference as well: so does this one.
inline std::string LatencyText(const char* name, const Row& row, int runs) {
  std::string text = Quoted(name) + ": {\"p50_us\": " + std::to_string(row.p50_us) +
                     ", \"p90_us\": " + std::to_string(row.p90_us);
  if (row.switch_us > 0) text += ", \"switch_us\": " + std::to_string(row.switch_us);
  return text + ", \"runs\": " + std::to_string(runs) + "}";
}

}  // namespace internal

// The text of a `profile.json`: `rows` in the bundle's order, each of `runs` timed runs. Empty where no reader
// would take it, as where a variant has no row or `device` is no plain text.
inline std::string ProfileText(const Bundle& bundle, const std::string& device, const RuntimeNames& names,
                               int threads, const std::vector<Row>& rows, int runs) {
  std::string text = "{\"format\": 1, \"device\": {\"name\": " + internal::Quoted(device) + "}";
  if (names.runtime != nullptr) text += ", \"runtime\": " + internal::Quoted(names.runtime);
  if (names.kernels != nullptr) text += ", \"kernels\": " + internal::Quoted(names.kernels);
  const Sha256 digest(bundle.payload());
  text += ", \"bundle_sha256\": \"";
  for (std::size_t i = 0; i < kDigestBytes; ++i) internal::AppendHexadecimal(digest.digest()[i], &text);
  text += "\", \"threads\": " + std::to_string(threads) + ", \"latencies\": {";
  for (std::size_t i = 0; i < rows.size(); ++i) {
    Variant variant;
    if (bundle.At(i, &variant) != Status::kOk) return "";
    text += (i > 0 ? ", " : "") + internal::LatencyText(variant.name, rows[i], runs);
  }
  text += "}}\n";
  std::vector<Row> read;
  const Bytes bytes{reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
  const RunConditions conditions{threads, names.kernels};
  return ReadProfile(bytes, bundle, conditions, &read) == Status::kOk ? text : "";
}

}  // namespace tfelastic

#endif  // TFELASTIC_PROFILE_TEXT_H_
