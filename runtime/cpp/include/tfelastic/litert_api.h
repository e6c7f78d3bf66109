// SPDX-License-Identifier: Apache-2.0
// LiteRT's C API, version 1, as far as litert.h uses it, found in its shared library while the program runs:
// neither LiteRT's headers nor its library are needed to build.
#ifndef TFELASTIC_LITERT_API_H_
#define TFELASTIC_LITERT_API_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "tfelastic/interpreter_library.h"

namespace tfelastic {
namespace litert {

// Environments, models and whatever else LiteRT hands out: only it knows what they point to.
using Handle = void*;

// Each function that answers with a status gives 0 where it succeeds.
constexpr int kOk = 0;
constexpr int kAcceleratorCpu = 1, kHostMemory = 1, kLockRead = 0, kLockWrite = 1;
constexpr std::size_t kDimensionsMax = 8;

// LiteRtRankedTensorType.
struct RankedType {
  int element_type;
  std::uint32_t rank_and_flags;  // The rank in the low 7 bits; then whether there are strides.
  std::int32_t sizes[kDimensionsMax];
  std::uint32_t strides[kDimensionsMax];

  std::size_t rank() const { return rank_and_flags & 0x7fu; }
};
static_assert(sizeof(RankedType) == 72, "as LiteRT's own");

// LiteRtQuantizationPerTensor.
struct Quantization {
  float scale;
  std::int64_t zero_point;
};

// The functions by their names, without the `LiteRt` in front.
#define TFELASTIC_LITERT_FUNCTIONS(F)                                                          \
  F(int, CreateEnvironment, (int count, const void* options, Handle* environment))             \
  F(void, DestroyEnvironment, (Handle environment))                                            \
  F(int, CreateOptions, (Handle * options))                                                    \
  F(void, DestroyOptions, (Handle options))                                                    \
  F(int, SetOptionsHardwareAccelerators, (Handle options, int accelerators))                   \
  F(int, CreateOpaqueOptions,                                                                  \
    (const char* identifier, void* payload, void (*destructor)(void*), Handle* opaque))        \
  F(void, DestroyOpaqueOptions, (Handle opaque))                                               \
  F(int, AddOpaqueOptions, (Handle options, Handle opaque))                                    \
  F(int, CreateModelFromBuffer,                                                                \
    (Handle environment, const void* bytes, std::size_t count, Handle* model))                 \
  F(void, DestroyModel, (Handle model))                                                        \
  F(int, GetModelSignature, (Handle model, std::size_t index, Handle* signature))              \
  F(int, GetSignatureSubgraph, (Handle signature, Handle* subgraph))                           \
  F(int, GetNumSignatureInputs, (Handle signature, std::size_t* count))                        \
  F(int, GetNumSignatureOutputs, (Handle signature, std::size_t* count))                       \
  F(int, GetSignatureInputTensorByIndex, (Handle signature, std::size_t index, Handle* tensor))  \
  F(int, GetSignatureOutputTensorByIndex, (Handle signature, std::size_t index, Handle* tensor)) \
  F(int, GetSubgraphInput, (Handle subgraph, std::size_t index, Handle* tensor))               \
  F(int, GetSubgraphOutput, (Handle subgraph, std::size_t index, Handle* tensor))              \
  F(int, GetRankedTensorType, (Handle tensor, RankedType * type))                              \
  F(int, GetPerTensorQuantization, (Handle tensor, Quantization * quantization))               \
  F(int, CreateCompiledModel,                                                                  \
    (Handle environment, Handle model, Handle options, Handle* compiled))                      \
  F(void, DestroyCompiledModel, (Handle compiled))                                             \
  F(int, RunCompiledModel,                                                                     \
    (Handle compiled, std::size_t signature, std::size_t input_count, Handle* inputs,          \
     std::size_t output_count, Handle* outputs))                                               \
  F(int, CreateManagedTensorBuffer,                                                            \
    (Handle environment, int kind, const RankedType* type, std::size_t bytes, Handle* buffer)) \
  F(void, DestroyTensorBuffer, (Handle buffer))                                                \
  F(int, LockTensorBuffer, (Handle buffer, void** address, int mode))                          \
  F(int, UnlockTensorBuffer, (Handle buffer))

struct Api {
#define TFELASTIC_DECLARE(Result, Name, Parameters) Result(*Name) Parameters = nullptr;
  TFELASTIC_LITERT_FUNCTIONS(TFELASTIC_DECLARE)
#undef TFELASTIC_DECLARE

  bool Load(const char* name, std::string* error) {
    InterpreterLibrary library;
    if (!library.Load(name, error)) return false;
#define TFELASTIC_FIND(Result, Name, Parameters) \
  if (!library.Find("LiteRt" #Name, &Name, error)) return false;
    TFELASTIC_LITERT_FUNCTIONS(TFELASTIC_FIND)
#undef TFELASTIC_FIND
    return true;
  }
};
#undef TFELASTIC_LITERT_FUNCTIONS

}  // namespace litert
}  // namespace tfelastic

#endif  // TFELASTIC_LITERT_API_H_
