// Prints each variant of a generated project as the project loads it, in hexadecimal.
#include <cstdio>

#include "variants.h"

alignas(16) static std::uint8_t copy[model::kCopyBytes > 0 ? model::kCopyBytes : 1];

int main() {
  for (const model::Variant& variant : model::kVariants) {
    const unsigned char* tflite = model::Load(variant, copy, sizeof(copy));
    const bool short_refused =
        variant.in_place || model::Load(variant, copy, variant.bytes - 1) == nullptr;
    if (tflite == nullptr || !short_refused) return 1;
    std::printf("%s ", variant.name);
    if (!variant.in_place) model::Load(variant, copy, sizeof(copy));
    for (std::uint32_t i = 0; i < variant.bytes; ++i) std::printf("%02x", tflite[i]);
    std::printf("\n");
  }
  return 0;
}
