// SPDX-License-Identifier: Apache-2.0
// What every operation of this library answers. Nothing throws, nothing is printed.
#ifndef TFELASTIC_STATUS_H_
#define TFELASTIC_STATUS_H_

#include <cstdint>

namespace tfelastic {

enum class Status : std::uint8_t {
  kOk,
  kNotABundle,         // The magic is missing.
  kContainerVersion,   // A container version that this reader does not know.
  kLength,             // Shorter or longer than the header states.
  kChecksum,           // The bytes are not those that were written.
  kManifestFormat,     // A manifest format that this reader does not know.
  kManifest,           // The manifest breaks a rule of FORMAT.md.
  kLimit,              // Within the format, but beyond what this reader holds (see limits.h).
  kNoSuchVariant,      // No variant of that name or index.
  kDelta,            // A delta is malformed, or writes something else than its variant.
  kBufferTooSmall,     // A variant or text does not fit into the caller's buffer.
  kNotInPlace,         // Stored as a delta, or not at a multiple of 16 bytes: expand it.
  kVariantChecksum,    // The variant's bytes are not those that its SHA-256 identifies.
  kNoSuchTensor,       // No input, output or label of that index.
  kNotFinite,          // A number that is NaN or infinite, for an input of real values.
  kMisaligned,         // A buffer does not lie at a multiple of 16 bytes.
  kAllocation,         // The interpreter cannot be made ready: its arena is too small, or an operator is missing.
  kInterface,          // The interpreter's inputs or outputs are not those that were stated.
  kInvocation,         // The interpreter failed while it ran.
  kNotMeasured,        // The selector has no table yet.
  kProfile,            // A measured table is malformed, or of another bundle, threads or kernels.
  kNoVariantRuns,      // The interpreter refused every variant.
  kClosed,             // The selector is closed.
};

// A short text for logs; "ok" for kOk.
inline const char* Describe(Status status) {
  switch (status) {
    case Status::kOk:
      return "ok";
    case Status::kNotABundle:
      return "not a tfelastic bundle";
    case Status::kContainerVersion:
      return "a container version that this reader does not know: update it, or export again";
    case Status::kLength:
      return "the file is shorter or longer than its header states: copy it anew";
    case Status::kChecksum:
      return "damaged: the checksum does not match: copy it anew";
    case Status::kManifestFormat:
      return "a manifest format that this reader does not know: update it, or export again";
    case Status::kManifest:
      return "the manifest breaks a rule of the format";
    case Status::kLimit:
      return "more than this reader holds: see limits.h";
    case Status::kNoSuchVariant:
      return "no such variant";
    case Status::kDelta:
      return "the variant's delta is malformed";
    case Status::kBufferTooSmall:
      return "it does not fit into the buffer";
    case Status::kNotInPlace:
      return "the variant cannot be used in place: expand it into a buffer";
    case Status::kVariantChecksum:
      return "the variant is not the file that its sha256 identifies";
    case Status::kNoSuchTensor:
      return "no such input, output or label";
    case Status::kNotFinite:
      return "an input value is not finite";
    case Status::kMisaligned:
      return "a buffer does not lie at a multiple of 16 bytes: declare it alignas(16)";
    case Status::kAllocation:
      return "the interpreter refuses the variant: its arena is too small, or an operator is missing";
    case Status::kInterface:
      return "the variant's inputs or outputs are not those that were stated: embed it anew";
    case Status::kInvocation:
      return "the interpreter failed while it ran";
    case Status::kNotMeasured:
      return "the selector has no table: call Measure first, or embed with a profile";
    case Status::kProfile:
      return "the table is malformed, or of another bundle, threads or kernels: measure anew";
    case Status::kNoVariantRuns:
      return "no variant runs: the failures say why";
    case Status::kClosed:
      return "the selector is closed";
  }
  return "unknown status";
}

}  // namespace tfelastic

#endif  // TFELASTIC_STATUS_H_
