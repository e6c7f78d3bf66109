// Runs every variant once, by the engine that the selector uses, and prints its arena and all its outputs' bits.
#include <cstdio>
#include <cstring>

#include "bench.h"

extern "C" std::uint64_t tfelastic_now_us(void) { return 0; }
extern "C" void tflm_stub_allocated(unsigned long) {}
extern "C" void tflm_stub_invoked(unsigned long) {}

int main() {
  Fill();
  // Before the engine, for its interpreter ends by the resolver's functions.
  static network::Resolver resolver;
  if (network::AddOperators(&resolver) != tfelastic::tflm::kOk) return 1;
  static network::Engine engine(network::kNetwork, resolver, network::StaticMemory());
  if (engine.Prepare() != tfelastic::Status::kOk) return 2;
  const void* given[network::kInputs];
  float* wanted[network::kOutputs];
  std::memcpy(given, &kGiven, sizeof(given));
  std::memcpy(wanted, &kWanted, sizeof(wanted));
  for (std::size_t i = 0; i < network::kVariants; ++i) {
    tfelastic::Status status = engine.Open(i);
    if (status == tfelastic::Status::kOk) status = engine.Run(given, wanted);
    if (status != tfelastic::Status::kOk) {
      std::printf("%s: %s\n", network::kNetwork.variants[i].name, tfelastic::Describe(status));
      return 3;
    }
    std::printf("%s %lu", network::kNetwork.variants[i].name,
                static_cast<unsigned long>(engine.arena_used_bytes()));
    for (std::size_t j = 0; j < network::kOutputs; ++j) {
      for (std::size_t at = 0; at < kLengths[j]; ++at) {
        std::uint32_t bits;
        std::memcpy(&bits, kOutputs[j] + at, sizeof(bits));
        std::printf(" %08lx", static_cast<unsigned long>(bits));
      }
    }
    std::puts("");
  }
  return 0;
}
