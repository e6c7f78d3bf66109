// Prints each variant of an embedded network as it is loaded, in hexadecimal.
#include <cstdio>

#include "kws.h"

extern "C" void tflm_stub_allocated(unsigned long) {}
extern "C" void tflm_stub_invoked(unsigned long) {}

alignas(16) static std::uint8_t room[KWS_COPY_BYTES + 32];

int main() {
  using tfelastic::Status;
  for (const tfelastic::NetworkVariant* variant = kws::kNetwork.variants;
       variant != kws::kNetwork.variants + kws::kVariants; ++variant) {
    const std::uint8_t* model = nullptr;
    if (!variant->in_place) {
      const bool refused =
          tfelastic::Load(kws::kNetwork, *variant, room, variant->bytes - 1, &model) ==
              Status::kBufferTooSmall &&
          tfelastic::Load(kws::kNetwork, *variant, room + 4, variant->bytes, &model) ==
              Status::kMisaligned;
      if (!refused) return 1;
    }
    if (tfelastic::Load(kws::kNetwork, *variant, room, sizeof(room), &model) != Status::kOk) return 2;
    std::printf("%s ", variant->name);
    for (std::uint32_t i = 0; i < variant->bytes; ++i) std::printf("%02x", model[i]);
    std::printf("\n");
  }
  // An arena that lies between multiples of 16 is refused before an interpreter sees it.
  static kws::Selector selector({room + 4, sizeof(room) - 4});
  static std::uint8_t image[kws::kImageElements];
  if (selector.Begin() != Status::kOk) return 3;
  return selector.Measure({image}, {nullptr}, 1, nullptr).status == Status::kMisaligned ? 0 : 4;
}
