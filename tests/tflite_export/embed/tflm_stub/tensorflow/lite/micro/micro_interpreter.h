// A stub for tests, not TFLM: see README.md of this folder.
#pragma once

#include "tensorflow/lite/micro/micro_allocator.h"
#include "tensorflow/lite/micro/micro_op_resolver.h"
#include "tensorflow/lite/micro/micro_profiler_interface.h"
#include "tensorflow/lite/micro/micro_resource_variable.h"
#include "tensorflow/lite/schema/schema_generated.h"

// The test's own: are called when an interpreter is made ready, and at each inference, with the numbers
// in all tensors of the model, constants included.
extern "C" void tflm_stub_allocated(unsigned long elements);
extern "C" void tflm_stub_invoked(unsigned long elements);

TFLM_STUB_BEGIN

class MicroInterpreter {
 public:
  MicroInterpreter(const Model* model, const MicroOpResolver& op_resolver, std::uint8_t* tensor_arena,
                   std::size_t tensor_arena_size, MicroResourceVariables* = nullptr,
                   MicroProfilerInterface* profiler = nullptr, bool = false)
      : model_(model),
        op_resolver_(op_resolver),
        allocator_(MicroAllocator::Create(tensor_arena, tensor_arena_size)),
        profiler_(profiler) {}
  MicroInterpreter(const Model* model, const MicroOpResolver& op_resolver, MicroAllocator* allocator,
                   MicroResourceVariables* = nullptr, MicroProfilerInterface* profiler = nullptr)
      : model_(model), op_resolver_(op_resolver), allocator_(allocator), profiler_(profiler) {}
  // Ends its operators by the resolver and the model, as TFLM's does.
  ~MicroInterpreter() {
    volatile unsigned operators = op_resolver_.stub_operators();
    if (graph_.at != nullptr) operators = operators + graph_.Length(3);
  }

  // Fails unless the model is a .tflite at a multiple of 16 bytes and its tensors fit.
  TfLiteStatus AllocateTensors() {
    const char* bytes = reinterpret_cast<const char*>(model_);
    if (reinterpret_cast<std::uintptr_t>(model_) % 16 != 0 ||
        std::memcmp(bytes + 4, "TFL3", 4) != 0 || allocator_ == nullptr) {
      return kTfLiteError;
    }
    const StubTable root{StubTable::Follow(bytes)};
    graph_ = root.TableElement(2, 0);
    for (std::uint32_t i = 0; i < graph_.Length(0); ++i) elements_ += Elements(graph_.TableElement(0, i));
    tflm_stub_allocated(elements_);
    return Allocate(1, &inputs_, &input_count_) && Allocate(2, &outputs_, &output_count_)
               ? kTfLiteOk
               : kTfLiteError;
  }

  TfLiteStatus Invoke() {
    if (profiler_ != nullptr) profiler_->EndEvent(profiler_->BeginEvent("STUB"));
    unsigned sum = 0;
    for (std::size_t i = 0; i < input_count_; ++i) {
      for (std::size_t at = 0; at < inputs_[i].bytes; ++at) {
        sum += static_cast<unsigned>(i + 1) * static_cast<std::uint8_t>(inputs_[i].data.raw[at]);
      }
    }
    for (std::size_t j = 0; j < output_count_; ++j) {
      const std::size_t item = ItemBytes(outputs_[j].type);
      for (std::size_t e = 0; e * item < outputs_[j].bytes; ++e) {
        const auto value = static_cast<std::int32_t>((sum + 7 * j + e) % 100);
        const auto real = static_cast<float>(value);
        const void* stored = outputs_[j].type == kTfLiteFloat32 ? static_cast<const void*>(&real) : &value;
        std::memcpy(outputs_[j].data.raw + e * item, stored, item);
      }
    }
    tflm_stub_invoked(elements_);
    return kTfLiteOk;
  }

  TfLiteTensor* input(std::size_t index) { return index < input_count_ ? &inputs_[index] : nullptr; }
  std::size_t inputs_size() const { return input_count_; }
  TfLiteTensor* output(std::size_t index) { return index < output_count_ ? &outputs_[index] : nullptr; }
  std::size_t outputs_size() const { return output_count_; }
  std::size_t arena_used_bytes() const { return allocator_->stub_used(); }

 private:
  static std::size_t ItemBytes(TfLiteType type) {
    return type == kTfLiteInt8 || type == kTfLiteUInt8 ? 1 : type == kTfLiteInt16 ? 2 : 4;
  }

  static unsigned long Elements(StubTable tensor) {
    unsigned long count = 1;
    for (std::uint32_t axis = 0; axis < tensor.Length(0); ++axis) {
      count *= static_cast<unsigned long>(tensor.Element<std::int32_t>(0, axis));
    }
    return count;
  }

  // The schema numbers types otherwise than TFLite's C API.
  static TfLiteType TypeOf(int schema_type) {
    switch (schema_type) {
      case 2:
        return kTfLiteInt32;
      case 3:
        return kTfLiteUInt8;
      case 7:
        return kTfLiteInt16;
      case 9:
        return kTfLiteInt8;
      default:
        return kTfLiteFloat32;
    }
  }

  bool Allocate(unsigned side, TfLiteTensor** tensors, std::size_t* count) {
    *count = graph_.Length(side);
    *tensors =
        reinterpret_cast<TfLiteTensor*>(allocator_->stub_allocate(*count * sizeof(TfLiteTensor)));
    for (std::size_t i = 0; *tensors != nullptr && i < *count; ++i) {
      const auto index = graph_.Element<std::int32_t>(side, static_cast<std::uint32_t>(i));
      const StubTable tensor = graph_.TableElement(0, static_cast<std::uint32_t>(index));
      TfLiteTensor* made = *tensors + i;
      const char* type = tensor.Field(1);
      made->type = TypeOf(type == nullptr ? 0 : *type);
      made->bytes = ItemBytes(made->type) * Elements(tensor);
      made->params = {0, 0};
      if (tensor.Field(4) != nullptr && tensor.Table(4).Length(2) > 0) {
        made->params.scale = tensor.Table(4).Element<float>(2, 0);
        if (tensor.Table(4).Length(3) > 0) {
          made->params.zero_point =
              static_cast<std::int32_t>(tensor.Table(4).Element<std::int64_t>(3, 0));
        }
      }
      made->data.raw = reinterpret_cast<char*>(allocator_->stub_allocate(made->bytes));
      if (made->data.raw == nullptr) return false;
    }
    return *tensors != nullptr;
  }

  const Model* model_;
  const MicroOpResolver& op_resolver_;
  MicroAllocator* allocator_;
  MicroProfilerInterface* profiler_;
  StubTable graph_{nullptr};
  TfLiteTensor *inputs_ = nullptr, *outputs_ = nullptr;
  std::size_t input_count_ = 0, output_count_ = 0;
  unsigned long elements_ = 0;
};

}  // namespace tflite
