// SPDX-License-Identifier: Apache-2.0
// Opening a bundle that is in memory, and taking variants out of it (FORMAT.md, runtime/SPEC.md).
//
//     tfelastic::Bundle bundle;
//     tfelastic::Variant variant;
//     tfelastic::Status status = tfelastic::Bundle::Open(data, size, &bundle);
//     if (status == tfelastic::Status::kOk) status = bundle.Find("w050", &variant);
//     if (status == tfelastic::Status::kOk) status = bundle.Expand(variant, buffer, sizeof(buffer));
//
// Nothing allocates, throws or keeps a copy: the bytes stay the caller's and must outlive the bundle.
#ifndef TFELASTIC_BUNDLE_H_
#define TFELASTIC_BUNDLE_H_

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "tfelastic/bytes.h"
#include "tfelastic/interface.h"
#include "tfelastic/limits.h"
#include "tfelastic/manifest.h"
#include "tfelastic/delta.h"
#include "tfelastic/sha256.h"
#include "tfelastic/status.h"

namespace tfelastic {

class Bundle {
 public:
  // Checks all of a bundle: header, length, checksum, manifest. On failure `bundle` stays as it was.
  static Status Open(const std::uint8_t* data, std::size_t size, Bundle* bundle) {
    std::size_t manifest_bytes = 0;
    const Status header = CheckHeader(data, size, &manifest_bytes);
    if (header != Status::kOk) return header;
    const std::size_t body = size - kDigestBytes;
    if (!Sha256(Bytes{data, body}).Matches(data + body)) return Status::kChecksum;
    Bundle opened;
    const Bytes all{data, size};
    const Status manifest =
        internal::ReadManifest(all.Sub(kHeaderBytes, manifest_bytes), &opened.manifest_);
    if (manifest != Status::kOk) return manifest;
    const std::size_t start = Padded(kHeaderBytes + manifest_bytes);
    opened.payload_ = all.Sub(start, body - start);
    if (opened.payload_.size != opened.manifest_.payload_bytes) return Status::kManifest;
    *bundle = opened;
    return Status::kOk;
  }

  const Manifest& manifest() const { return manifest_; }
  Bytes payload() const { return payload_; }
  std::size_t variant_count() const { return manifest_.variant_count; }

  // Reads what the network takes at `index`, and what it gives.
  Status Input(std::size_t index, InputSpec* spec) const {
    internal::JsonItems items(manifest_.inputs);
    return Reach(index, manifest_.input_count, &items) && internal::ReadInput(items.value(), spec)
               ? Status::kOk
               : Status::kNoSuchTensor;
  }

  Status Output(std::size_t index, OutputSpec* spec) const {
    internal::JsonItems items(manifest_.outputs);
    return Reach(index, manifest_.output_count, &items) && internal::ReadOutput(items.value(), spec)
               ? Status::kOk
               : Status::kNoSuchTensor;
  }

  // Writes an output's label as UTF-8, with a zero byte behind it.
  Status Label(const OutputSpec& spec, std::size_t index, char* text, std::size_t capacity) const {
    const auto count = static_cast<std::size_t>(spec.label_count);
    internal::JsonItems items(spec.labels);
    internal::JsonText label;
    if (!Reach(index, count, &items) || !items.value().Text(&label)) return Status::kNoSuchTensor;
    return label.Copy(text, capacity) ? Status::kOk : Status::kBufferTooSmall;
  }

  // Reads a variant's record; 0 is the widest.
  Status At(std::size_t index, Variant* variant) const {
    internal::JsonItems items(manifest_.variants);
    if (!Reach(index, variant_count(), &items)) return Status::kNoSuchVariant;
    return internal::ReadVariant(items.value(), manifest_, variant)
               ? Status::kOk
               : Status::kManifest;
  }

  Status Find(const char* name, Variant* variant) const {
    for (std::size_t i = 0; i < variant_count(); ++i) {
      Variant found;
      const Status status = At(i, &found);
      if (status != Status::kOk) return status;
      if (std::strcmp(found.name, name) != 0) continue;
      *variant = found;
      return Status::kOk;
    }
    return Status::kNoSuchVariant;
  }

  // Points at a variant's .tflite where it lies, without a copy; checks its SHA-256. kNotInPlace
  // where it is stored as a delta, or not at a multiple of 16 bytes in memory.
  Status InPlace(const Variant& variant, const std::uint8_t** model) const {
    Bytes stored;
    if (!Stored(variant, &stored)) return Status::kNoSuchVariant;
    if (!variant.whole || reinterpret_cast<std::uintptr_t>(stored.data) % kAlignment != 0) {
      return Status::kNotInPlace;
    }
    if (!Sha256(stored).Matches(variant.sha256)) return Status::kVariantChecksum;
    *model = stored.data;
    return Status::kOk;
  }

  // Writes a variant's .tflite, `variant.bytes` long, into the caller's buffer; checks its SHA-256.
  // Interpreters want the buffer at a multiple of 16. It must not overlap the bundle. After a failure
  // its contents are unspecified.
  Status Expand(const Variant& variant, std::uint8_t* buffer, std::size_t capacity) const {
    Bytes stored;
    if (!Stored(variant, &stored)) return Status::kNoSuchVariant;
    if (variant.bytes > capacity) return Status::kBufferTooSmall;
    if (variant.whole) {
      std::memcpy(buffer, stored.data, stored.size);
    } else {
      const Status status = ExpandDelta(stored, payload_, buffer, variant.bytes);
      if (status != Status::kOk) return status;
    }
    return Sha256(Bytes{buffer, variant.bytes}).Matches(variant.sha256) ? Status::kOk
                                                                        : Status::kVariantChecksum;
  }

 private:
  static constexpr std::uint8_t kMagic[8] = {0x89, 'T', 'F', 'E', '\r', '\n', 0x1a, '\n'};

  static std::uint64_t LittleEndian(const std::uint8_t* at, int bytes) {
    std::uint64_t value = 0;
    for (int i = bytes; i-- > 0;) value = value << 8 | at[i];
    return value;
  }

  // Goes on to the value at `index`, if there is one.
  static bool Reach(std::size_t index, std::size_t count, internal::JsonItems* items) {
    if (index >= count) return false;
    for (std::size_t i = 0; i <= index; ++i) items->Next();
    return true;
  }

  static std::size_t Padded(std::size_t count) {
    return (count + kAlignment - 1) / kAlignment * kAlignment;
  }

  static Status CheckHeader(const std::uint8_t* data, std::size_t size, std::size_t* manifest) {
    if (size < sizeof(kMagic) || std::memcmp(data, kMagic, sizeof(kMagic)) != 0) {
      return Status::kNotABundle;
    }
    if (size < 12) return Status::kLength;
    if (LittleEndian(data + 8, 4) != kKnownContainer) return Status::kContainerVersion;
    if (size < kHeaderBytes + kDigestBytes) return Status::kLength;
    if (LittleEndian(data + 16, 8) != size) return Status::kLength;
    const std::uint64_t length = LittleEndian(data + 12, 4);
    if (length > size - kHeaderBytes - kDigestBytes) return Status::kLength;
    *manifest = static_cast<std::size_t>(length);
    if (Padded(kHeaderBytes + *manifest) > size - kDigestBytes) return Status::kLength;
    return Status::kOk;
  }

  // What is stored of a variant; false where the record is of another bundle.
  bool Stored(const Variant& variant, Bytes* stored) const {
    if (variant.stored_offset > payload_.size ||
        variant.stored_bytes > payload_.size - variant.stored_offset ||
        (variant.whole && variant.stored_bytes != variant.bytes)) {
      return false;
    }
    *stored = payload_.Sub(variant.stored_offset, variant.stored_bytes);
    return true;
  }

  Bytes payload_;
  Manifest manifest_{};
};

}  // namespace tfelastic

#endif  // TFELASTIC_BUNDLE_H_
