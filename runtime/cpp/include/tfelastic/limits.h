// SPDX-License-Identifier: Apache-2.0
// What a reader holds (runtime/SPEC.md, section 1): bounds for the stack and the time that a hostile file
// can cost. Anything beyond them is refused with Status::kLimit.
#ifndef TFELASTIC_LIMITS_H_
#define TFELASTIC_LIMITS_H_

#include <cstddef>
#include <cstdint>

namespace tfelastic {

// Bytes of a manifest. Some 700 describe a variant, so this is room for more than a thousand.
constexpr std::size_t kManifestMax = std::size_t{1} << 20;
// Variants of a bundle. Opening compares each one's name with every other's.
constexpr std::size_t kVariantsMax = 64;
// Objects and arrays within each other; a manifest has six.
constexpr int kDepthMax = 24;
// Keys of an object and of those around it. While the manifest is checked, each takes 4 bytes of stack.
constexpr std::size_t kKeysMax = 512;

// Values of FORMAT.md.
constexpr std::uint32_t kKnownContainer = 3;
constexpr std::int64_t kKnownManifest = 3;
constexpr std::size_t kHeaderBytes = 24;
constexpr std::size_t kDigestBytes = 32;
constexpr std::size_t kAlignment = 16;
constexpr std::int64_t kPayloadMax = (std::int64_t{1} << 31) - 1;
constexpr std::size_t kNameMax = 32;
constexpr std::size_t kTextMax = 200, kSchemeMax = 32;
// Inputs of a network, and outputs; axes of one; its elements, and those along an axis.
constexpr std::size_t kTensorsMax = 16, kRankMax = 5;
constexpr std::int64_t kElementsMax = (std::int64_t{1} << 31) - 1, kSizeMax = 65535;
// Characters of a tensor's name, and what UTF-8 makes of them.
constexpr std::size_t kTensorNameMax = 64, kTensorNameBytesMax = 4 * kTensorNameMax;

}  // namespace tfelastic

#endif  // TFELASTIC_LIMITS_H_
