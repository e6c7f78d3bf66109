// What a firmware takes of this library, without its interpreter: the selector with its policy and table, and the
// reader, which finds a variant in the array, expands it, and checks the array.
#include "tfelastic/encoding.h"
#include "tfelastic/network.h"
#include "tfelastic/selector.h"

struct Engine {
  tfelastic::Status Open(std::size_t variant);
  tfelastic::Status Run(const void* const* inputs, float* const* outputs);
};

extern const tfelastic::Network kNetwork;
static Engine idle_engine;
static tfelastic::Row table[8];
tfelastic::Selector<Engine> selector(kNetwork, &idle_engine, table, false);

template class tfelastic::Selector<Engine>;

tfelastic::Status LoadVariant(std::size_t index, std::uint8_t* buffer, std::size_t capacity,
                              const std::uint8_t** model) {
  return tfelastic::Load(kNetwork, kNetwork.variants[index], buffer, capacity, model);
}

tfelastic::Status Check() { return tfelastic::CheckData(kNetwork); }

tfelastic::Result Measure(const void* const* inputs, float* const* outputs,
                          tfelastic::PrintLine print) {
  tfelastic::Samples samples[8];
  return selector.Measure(inputs, outputs, 1000, samples, {"board", "TFLM", "kernels"}, print);
}
