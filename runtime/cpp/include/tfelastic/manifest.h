// SPDX-License-Identifier: Apache-2.0
// What a bundle says of itself, read by every rule of FORMAT.md, "The manifest".
#ifndef TFELASTIC_MANIFEST_H_
#define TFELASTIC_MANIFEST_H_

#include <cfloat>
#include <cstddef>
#include <cstdint>

#include "tfelastic/interface.h"
#include "tfelastic/json.h"
#include "tfelastic/json_check.h"
#include "tfelastic/limits.h"
#include "tfelastic/score.h"
#include "tfelastic/status.h"

namespace tfelastic {

// One variant.
struct Variant {
  char name[kNameMax + 1];   // Ends with a zero byte.
  double width;              // The share of the widest variant's channels that it keeps.
  double score;              // By the manifest's metric, on this very .tflite.
  std::int32_t score_order;  // What the policy compares: larger for a better score.
  std::int64_t arena_bytes;  // Measured; -1 where not known.
  std::uint32_t bytes;       // How long its .tflite is.
  std::uint8_t sha256[32];   // Of its .tflite.
  bool whole;                // Stored as it is, rather than as a delta that writes it.
  std::uint32_t stored_offset;
  std::uint32_t stored_bytes;
  TensorSpec inputs[kTensorsMax];  // As many as the manifest has, in its order.
  TensorSpec outputs[kTensorsMax];
};

// What all variants have in common. Values of `internal::Json` point into the bundle.
struct Manifest {
  std::size_t input_count, output_count;
  bool higher_is_better;  // Whether a larger score means a better variant.
  std::uint32_t payload_bytes;
  std::size_t variant_count;
  internal::Json inputs, outputs, variants, profiles;
};

namespace internal {

constexpr double kWidthMin = 0x1p-20;

inline bool ReadDigest(Json json, std::uint8_t* digest) {
  JsonText text;
  if (!json.Text(&text)) return false;
  for (std::size_t i = 0; i < 64; ++i) {
    if (text.Empty()) return false;
    const std::uint32_t code = text.Next();
    if (code > 'f' || (code >= 'A' && code <= 'F')) return false;
    const std::uint32_t digit = JsonText::Digit(static_cast<char>(code));
    if (digit > 15) return false;
    digest[i / 2] = static_cast<std::uint8_t>(digest[i / 2] << 4 | digit);
  }
  return text.Empty();
}

inline bool ReadName(Json json, char* name) {
  JsonText text;
  if (!json.Text(&text)) return false;
  std::size_t count = 0;
  for (; !text.Empty(); ++count) {
    const std::uint32_t code = text.Next();
    const bool alphanumeric = (code >= 'a' && code <= 'z') || (code >= '0' && code <= '9');
    const bool mark = code == '.' || code == '_' || code == '-';
    if (count == kNameMax || !(alphanumeric || (mark && count > 0))) return false;
    name[count] = static_cast<char>(code);
  }
  name[count] = '\0';
  return count > 0;
}

inline bool ReadStored(Json json, Variant* variant) {
  Json fields[3];
  std::int64_t offset, bytes;
  if (!Fields(json, Keys::kExactly, {"form", "offset", "bytes"}, fields) ||
      !(fields[0].IsText("whole") || fields[0].IsText("delta")) ||
      !fields[1].Integer(0, kPayloadMax, &offset) || !fields[2].Integer(1, kPayloadMax, &bytes)) {
    return false;
  }
  variant->whole = fields[0].IsText("whole");
  variant->stored_offset = static_cast<std::uint32_t>(offset);
  variant->stored_bytes = static_cast<std::uint32_t>(bytes);
  return !variant->whole || (offset % kAlignment == 0 && variant->stored_bytes == variant->bytes);
}

// A group's name and how many of its units stay, for each group; the names of blocks that are gone.
inline bool IsPlan(Json json) {
  if (json.IsNull()) return true;
  Json fields[2];
  if (!Fields(json, Keys::kExactly, {"keep", "removed"}, fields)) return false;
  if (!fields[0].IsObject() || !fields[1].IsArray()) return false;
  for (JsonItems items(fields[0]); items.Next();) {
    if (!items.key().IsPlain(kTextMax) || !items.value().IsInteger(1, kCountMax)) return false;
  }
  for (JsonItems items(fields[1]); items.Next();) {
    if (!items.value().IsText(kTextMax)) return false;
  }
  return true;
}

// A score or metric may be any finite number.
inline bool ReadMetric(Json json, double* metric) { return json.Number(-DBL_MAX, DBL_MAX, metric); }

inline bool AreMetrics(Json json) {
  if (!json.IsObject()) return false;
  for (JsonItems items(json); items.Next();) {
    double metric;
    if (!items.key().IsPlain(kTextMax) || !ReadMetric(items.value(), &metric)) return false;
  }
  return true;
}

inline bool ReadVariant(Json json, const Manifest& manifest, Variant* variant) {
  static constexpr const char* kNames[] = {
      "name",        "width", "plan",    "scheme", "params", "macs",   "peak_bytes",
      "arena_bytes", "score", "metrics", "bytes",  "sha256", "stored", "inputs",
      "outputs"};
  Json fields[sizeof(kNames) / sizeof(kNames[0])];
  if (!Fields(json, Keys::kExactly, kNames, fields)) return false;
  const auto& [name, width, plan, scheme, params, macs, peak_bytes, arena_bytes, score, metrics,
               bytes, sha256, stored, inputs, outputs] = fields;
  std::int64_t count;
  if (!ReadName(name, variant->name) || !width.Number(kWidthMin, 1, &variant->width) ||
      !IsPlan(plan) || !scheme.IsText(kSchemeMax) || !params.IsInteger(0, kCountMax) ||
      !macs.IsInteger(0, kCountMax) ||
      !(peak_bytes.IsNull() || peak_bytes.IsInteger(0, kCountMax)) ||
      !ReadMetric(score, &variant->score) || !AreMetrics(metrics) ||
      !bytes.Integer(1, manifest.payload_bytes, &count) || !ReadDigest(sha256, variant->sha256)) {
    return false;
  }
  variant->score_order = ScoreOrder(variant->score, manifest.higher_is_better);
  variant->bytes = static_cast<std::uint32_t>(count);
  variant->arena_bytes = -1;
  if (!arena_bytes.IsNull() && !arena_bytes.Integer(0, kCountMax, &variant->arena_bytes)) {
    return false;
  }
  return ReadStored(stored, variant) &&
         ReadTensors(inputs, manifest.input_count, variant->inputs) &&
         ReadTensors(outputs, manifest.output_count, variant->outputs) &&
         std::int64_t{variant->stored_offset} + variant->stored_bytes <= manifest.payload_bytes;
}

inline bool ReadScore(Json json, Manifest* manifest) {
  Json fields[2];
  if (!Fields(json, Keys::kExactly, {"metric", "higher_is_better"}, fields) ||
      !fields[0].IsText(kTextMax) || !fields[1].IsBool()) {
    return false;
  }
  manifest->higher_is_better = fields[1].IsTrue();
  return true;
}

inline bool AreVariants(const Manifest& manifest) {
  double widest = 1;
  std::size_t count = 0;
  for (JsonItems items(manifest.variants); items.Next(); ++count) {
    Variant variant;
    if (!ReadVariant(items.value(), manifest, &variant) || variant.width > widest ||
        !HasOwnName(manifest.variants, count, items.value())) {
      return false;
    }
    widest = variant.width;
  }
  return true;
}

// A latency in microseconds, 1 .. 2^31 - 1; a fraction is rounded up.
inline bool ReadMicroseconds(Json json, std::int64_t* latency_us) {
  double value;
  if (!json.Number(0, 2147483647.0, &value)) return false;
  *latency_us = static_cast<std::int64_t>(value);
  if (static_cast<double>(*latency_us) < value) ++*latency_us;
  return *latency_us >= 1;
}

// Finds what a measured table may leave out: false where it is missing or null.
inline bool Known(Json json, const char* key, Json* value) {
  Json field[1];
  if (!Fields(json, Keys::kAtLeast, {key}, field) || field[0].IsNull()) return false;
  *value = field[0];
  return true;
}

inline bool IsLatency(Json json) {
  Json fields[3], known;
  std::int64_t p50_us, p90_us, value_us;
  if (!Fields(json, Keys::kAtLeast, {"p50_us", "p90_us", "runs"}, fields) ||
      !ReadMicroseconds(fields[0], &p50_us) || !ReadMicroseconds(fields[1], &p90_us) ||
      p50_us > p90_us || !fields[2].IsInteger(1, kCountMax)) {
    return false;
  }
  if (Known(json, "p99_us", &known) && !(ReadMicroseconds(known, &value_us) && p90_us <= value_us)) {
    return false;
  }
  if (Known(json, "first_us", &known) && !ReadMicroseconds(known, &value_us)) return false;
  if (Known(json, "switch_us", &known) && !known.IsInteger(0, 2147483647)) return false;
  return !Known(json, "peak_rss_bytes", &known) || known.IsInteger(1, kCountMax);
}

inline bool IsProfile(Json json, const Manifest& manifest) {
  Json fields[3];
  if (!Fields(json, Keys::kAtLeast, {"device", "threads", "latencies"}, fields) ||
      !fields[0].IsObject() || !fields[1].IsInteger(1, 1024) || !fields[2].IsObject() ||
      Count(fields[2]) != manifest.variant_count) {
    return false;
  }
  Json format[1], known;
  std::uint8_t digest[32];
  if ((Fields(json, Keys::kAtLeast, {"format"}, format) && !format[0].IsInteger(1, 1)) ||
      (Known(json, "runtime", &known) && !known.IsText(kTextMax)) ||
      (Known(json, "kernels", &known) && !known.IsText(kTextMax)) ||
      (Known(json, "bundle_sha256", &known) && !ReadDigest(known, digest))) {
    return false;
  }
  for (JsonItems items(fields[0]); items.Next();) {
    const Json value = items.value();
    double number;
    if (!items.key().IsPlain(kTextMax) ||
        !(value.IsText(kTextMax) || value.IsBool() || ReadMetric(value, &number))) {
      return false;
    }
  }
  // As many as there are variants, and one of each: so of no other.
  for (JsonItems items(manifest.variants); items.Next();) {
    Json name[1], latency[1];
    char text[kNameMax + 1];
    if (!Fields(items.value(), Keys::kAtLeast, {"name"}, name) || !ReadName(name[0], text) ||
        !Fields(fields[2], Keys::kAtLeast, {text}, latency) || !IsLatency(latency[0])) {
      return false;
    }
  }
  return true;
}

// Checks a manifest whole, and reads what all variants have in common.
inline Status ReadManifest(Bytes bytes, Manifest* manifest) {
  if (bytes.size > kManifestMax) return Status::kLimit;
  const Status syntax = JsonCheck(bytes).Run();
  if (syntax != Status::kOk) return syntax;
  const char* begin = reinterpret_cast<const char*>(bytes.data);
  const Json json(begin, begin + bytes.size);
  Json format[1];
  std::int64_t number;
  if (!Fields(json, Keys::kAtLeast, {"format"}, format) ||
      !format[0].Integer(1, kCountMax, &number)) {
    return Status::kManifest;
  }
  if (number != kKnownManifest) return Status::kManifestFormat;
  static constexpr const char* kNames[] = {"format",        "name",     "producer",
                                           "inputs",        "outputs",  "score",
                                           "payload_bytes", "variants", "profiles"};
  Json fields[sizeof(kNames) / sizeof(kNames[0])];
  if (!Fields(json, Keys::kExactly, kNames, fields)) return Status::kManifest;
  const auto& [_, name, producer, inputs, outputs, score, payload_bytes, variants, profiles] =
      fields;
  if (!name.IsText(kTextMax) || !producer.IsText(kTextMax) ||
      !AreTensors<InputSpec>(inputs, ReadInput, &manifest->input_count) ||
      !AreTensors<OutputSpec>(outputs, ReadOutput, &manifest->output_count) ||
      !ReadScore(score, manifest) || !payload_bytes.Integer(1, kPayloadMax, &number) || !variants.IsArray() ||
      !profiles.IsArray()) {
    return Status::kManifest;
  }
  manifest->payload_bytes = static_cast<std::uint32_t>(number);
  manifest->inputs = inputs;
  manifest->outputs = outputs;
  manifest->variants = variants;
  manifest->profiles = profiles;
  manifest->variant_count = Count(variants);
  if (manifest->variant_count == 0) return Status::kManifest;
  if (manifest->variant_count > kVariantsMax) return Status::kLimit;
  if (!AreVariants(*manifest)) return Status::kManifest;
  for (JsonItems items(profiles); items.Next();) {
    if (!IsProfile(items.value(), *manifest)) return Status::kManifest;
  }
  return Status::kOk;
}

}  // namespace internal
}  // namespace tfelastic

#endif  // TFELASTIC_MANIFEST_H_
