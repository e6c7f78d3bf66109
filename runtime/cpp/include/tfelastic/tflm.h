// SPDX-License-Identifier: Apache-2.0
// The selector's engines for TensorFlow Lite for Microcontrollers (TFLM): one variant at a time in an
// arena, or all of them resident in one.
#ifndef TFELASTIC_TFLM_H_
#define TFELASTIC_TFLM_H_

#include <cstddef>
#include <cstdint>
#include <new>

// TFLM's own structures depend on it, so that it must be as when TFLM was built.
#if !defined(TF_LITE_STATIC_MEMORY)
#if defined(ARDUINO)
#define TF_LITE_STATIC_MEMORY  // An Arduino library cannot define it for the sketch.
#else
#error "define TF_LITE_STATIC_MEMORY, as TFLM's own build does"
#endif
#endif

#include "tensorflow/lite/micro/micro_allocator.h"
#include "tensorflow/lite/micro/micro_interpreter.h"
#include "tensorflow/lite/micro/micro_mutable_op_resolver.h"
#include "tensorflow/lite/micro/micro_op_resolver.h"
#include "tensorflow/lite/micro/micro_profiler_interface.h"
#include "tensorflow/lite/micro/micro_resource_variable.h"
#include "tensorflow/lite/schema/schema_generated.h"
#include "tfelastic/encoding.h"
#include "tfelastic/network.h"
#include "tfelastic/status.h"

// Where newer releases of TFLM declare what older ones have in `tflite` and outside of any namespace.
namespace tflite {
namespace micro {}
}  // namespace tflite

namespace tfelastic {

// TFLM's names, wherever the release declares them.
namespace tflm {

using namespace ::tflite;         // NOLINT(build/namespaces)
using namespace ::tflite::micro;  // NOLINT(build/namespaces)

using Allocator = MicroAllocator;
using Interpreter = MicroInterpreter;
using OpResolver = MicroOpResolver;
using Profiler = MicroProfilerInterface;
using Tensor = TfLiteTensor;
using Type = TfLiteType;
using ResultCode = TfLiteStatus;
constexpr ResultCode kOk = kTfLiteOk, kError = kTfLiteError;
constexpr MicroResourceVariables* kNoVariables = nullptr;
template <unsigned int kOperators>
using MutableOpResolver = MicroMutableOpResolver<kOperators>;

inline Type TypeOf(DType dtype) {
  switch (dtype) {
    case DType::kInt8:
      return kTfLiteInt8;
    case DType::kUint8:
      return kTfLiteUInt8;
    case DType::kInt16:
      return kTfLiteInt16;
    case DType::kInt32:
      return kTfLiteInt32;
    case DType::kFloat32:
      break;
  }
  return kTfLiteFloat32;
}

}  // namespace tflm

// Memory of the firmware, at multiples of 16 bytes. Without a copy's own buffer, copies lie in front of
// the arena, in the same one: then it takes the largest sum that one variant needs.
struct Memory {
  std::uint8_t* arena;
  std::size_t arena_bytes;
  std::uint8_t* copy = nullptr;
  std::size_t copy_bytes = 0;
};

namespace internal {

// Whether the interpreter's tensor is what the manifest states.
inline bool IsStated(const tflm::Tensor* tensor, const TensorSpec& spec, std::size_t elements) {
  if (tensor == nullptr || tensor->type != tflm::TypeOf(spec.dtype) ||
      tensor->bytes != elements * ItemBytes(spec.dtype)) {
    return false;
  }
  const bool is_scaled = spec.dtype != DType::kFloat32 && spec.dtype != DType::kInt32;
  return !is_scaled ||
         (tensor->params.scale == spec.scale && tensor->params.zero_point == spec.zero_point);
}

inline Status CheckInterface(const Network& network, const NetworkVariant& variant,
                             tflm::Interpreter* interpreter) {
  bool is_stated = interpreter->inputs_size() == network.input_count &&
                   interpreter->outputs_size() == network.output_count;
  for (std::size_t i = 0; is_stated && i < network.input_count; ++i) {
    const TensorSpec& spec = variant.inputs[i];
    is_stated = IsStated(interpreter->input(spec.position), spec, network.inputs[i].elements);
  }
  for (std::size_t i = 0; is_stated && i < network.output_count; ++i) {
    const TensorSpec& spec = variant.outputs[i];
    is_stated = IsStated(interpreter->output(spec.position), spec, network.outputs[i].elements);
  }
  return is_stated ? Status::kOk : Status::kInterface;
}

inline Status RunInterpreter(const Network& network, const NetworkVariant& variant,
                             tflm::Interpreter* interpreter, const void* const* inputs,
                             float* const* outputs) {
  for (std::size_t i = 0; i < network.input_count; ++i) {
    const TensorSpec& spec = variant.inputs[i];
    void* tensor = interpreter->input(spec.position)->data.raw;
    const std::size_t elements = network.inputs[i].elements;
    if (network.inputs[i].kind == InputKind::kImage) {
      Encode(static_cast<const std::uint8_t*>(inputs[i]), elements, spec, tensor);
    } else {
      const Status status = Encode(static_cast<const float*>(inputs[i]), elements, spec, tensor);
      if (status != Status::kOk) return status;
    }
  }
  if (interpreter->Invoke() != tflm::kOk) return Status::kInvocation;
  for (std::size_t i = 0; i < network.output_count; ++i) {
    const TensorSpec& spec = variant.outputs[i];
    if (outputs[i] == nullptr) continue;
    Decode(interpreter->output(spec.position)->data.raw, network.outputs[i].elements, spec,
           outputs[i]);
  }
  return Status::kOk;
}

// Room for one interpreter, which begins and ends when it is said, without a heap.
class InterpreterSlot {
  using Interpreter = tflm::Interpreter;

 public:
  InterpreterSlot() = default;
  InterpreterSlot(const InterpreterSlot&) = delete;
  InterpreterSlot& operator=(const InterpreterSlot&) = delete;
  ~InterpreterSlot() { Close(); }

  // The arguments are those of the interpreter's constructors behind the model.
  template <typename... Arguments>
  Status Open(const Network& network, const NetworkVariant& variant, const std::uint8_t* model,
              const tflm::OpResolver& resolver, Arguments... arguments) {
    Close();
    interpreter_ =
        new (room_) tflm::Interpreter(tflm::GetModel(model), resolver, arguments...);
    const Status status = interpreter_->AllocateTensors() == tflm::kOk
                              ? CheckInterface(network, variant, interpreter_)
                              : Status::kAllocation;
    if (status != Status::kOk) Close();
    return status;
  }

  void Close() {
    if (interpreter_ != nullptr) interpreter_->~Interpreter();
    interpreter_ = nullptr;
  }

  tflm::Interpreter* get() const { return interpreter_; }

 private:
  tflm::Interpreter* interpreter_ = nullptr;
  alignas(tflm::Interpreter) unsigned char room_[sizeof(tflm::Interpreter)];
};

}  // namespace internal

// One variant at a time: opening another closes it, and takes over its memory.
class TflmEngine {
 public:
  // TFLM's profiler, where there is one, hears of each operation.
  TflmEngine(const Network& network, const tflm::OpResolver& resolver, Memory memory,
             tflm::Profiler* profiler = nullptr)
      : network_(network), resolver_(resolver), memory_(memory), profiler_(profiler) {}

  // Nothing can be made ready before a variant is chosen.
  Status Prepare() { return Status::kOk; }

  Status Open(std::size_t index) {
    open_ = &network_.variants[index];
    slot_.Close();
    std::uint8_t *arena = memory_.arena, *copy = memory_.copy;
    std::size_t arena_bytes = memory_.arena_bytes, copy_bytes = memory_.copy_bytes;
    if (!IsAligned(arena)) return Status::kMisaligned;
    if (!open_->in_place && copy == nullptr) {
      const std::size_t taken = Padded(open_->bytes);
      if (taken > arena_bytes) return Status::kBufferTooSmall;
      copy = arena;
      copy_bytes = taken;
      arena += taken;
      arena_bytes -= taken;
    }
    const std::uint8_t* model = nullptr;
    const Status status = Load(network_, *open_, copy, copy_bytes, &model);
    if (status != Status::kOk) return status;
    return slot_.Open(network_, *open_, model, resolver_, arena, arena_bytes,
                      tflm::kNoVariables, profiler_);
  }

  Status Run(const void* const* inputs, float* const* outputs) {
    return internal::RunInterpreter(network_, *open_, slot_.get(), inputs, outputs);
  }

  // What the open variant's interpreter takes of its arena.
  std::size_t arena_used_bytes() const { return slot_.get()->arena_used_bytes(); }

 private:
  const Network& network_;
  const tflm::OpResolver& resolver_;
  Memory memory_;
  tflm::Profiler* profiler_;
  const NetworkVariant* open_ = nullptr;
  internal::InterpreterSlot slot_;
};

// All variants at once, each with tables of its own over one area for activations, so that switching
// costs nothing. All of them run in place. A run overwrites what another has left in its tensors.
template <std::size_t kVariants>
class ResidentTflmEngine {
 public:
  ResidentTflmEngine(const Network& network, const tflm::OpResolver& resolver, Memory memory,
                     tflm::Profiler* profiler = nullptr)
      : network_(network), resolver_(resolver), memory_(memory), profiler_(profiler) {}

  // Opens all of them.
  Status Prepare() {
    if (!IsAligned(memory_.arena)) return Status::kMisaligned;
    tflm::Allocator* allocator =
        tflm::Allocator::Create(memory_.arena, memory_.arena_bytes);
    if (allocator == nullptr) return Status::kAllocation;
    for (std::size_t i = 0; i < kVariants; ++i) {
      const NetworkVariant& variant = network_.variants[i];
      const std::uint8_t* model = nullptr;
      Status status = Load(network_, variant, nullptr, 0, &model);
      if (status == Status::kOk) {
        status = slots_[i].Open(network_, variant, model, resolver_, allocator,
                                tflm::kNoVariables, profiler_);
      }
      if (status != Status::kOk) return status;
    }
    return Status::kOk;
  }

  Status Open(std::size_t index) {
    open_ = index;
    return slots_[index].get() == nullptr ? Status::kAllocation : Status::kOk;
  }

  Status Run(const void* const* inputs, float* const* outputs) {
    return internal::RunInterpreter(network_, network_.variants[open_], slots_[open_].get(), inputs,
                                    outputs);
  }

  // What all interpreters take of the arena.
  std::size_t arena_used_bytes() const { return slots_[open_].get()->arena_used_bytes(); }

 private:
  const Network& network_;
  const tflm::OpResolver& resolver_;
  Memory memory_;
  tflm::Profiler* profiler_;
  std::size_t open_ = 0;
  internal::InterpreterSlot slots_[kVariants];
};

}  // namespace tfelastic

#endif  // TFELASTIC_TFLM_H_
