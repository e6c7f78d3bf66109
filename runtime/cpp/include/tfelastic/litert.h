// SPDX-License-Identifier: Apache-2.0
// LiteRT as a backend, on phones and hosts, through its C library.
//
//     tfelastic::LiteRt litert;
//     std::string error;
//     if (!litert.Open("libLiteRt.so", &error)) Log(error);
//     tfelastic::BundleSelector selector(bundle, litert.backend(), options);
#ifndef TFELASTIC_LITERT_H_
#define TFELASTIC_LITERT_H_

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>

#include "tfelastic/backend.h"
#include "tfelastic/litert_api.h"

namespace tfelastic {

enum class LiteRtKernels : std::uint8_t {
  kXnnpack,  // XNNPACK's, for the operations that it has.
  kBuiltin,  // LiteRT's own.
};

namespace litert {

inline bool Check(const char* function, int status, std::string* error) {
  if (status == kOk) return true;
  *error = std::string(function) + " failed with status " + std::to_string(status);
  return false;
}

// An open model; its destructor gives back what was taken, last things first.
class OpenModel {
 public:
  OpenModel(const Api& api, Handle environment) : api_(api), environment_(environment) {}
  OpenModel(const OpenModel&) = delete;
  OpenModel& operator=(const OpenModel&) = delete;

  ~OpenModel() {
    for (Tensor& tensor : inputs_) Destroy(api_.DestroyTensorBuffer, tensor.buffer);
    for (Tensor& tensor : outputs_) Destroy(api_.DestroyTensorBuffer, tensor.buffer);
    Destroy(api_.DestroyCompiledModel, compiled_);
    Destroy(api_.DestroyModel, model_);
    Destroy(api_.DestroyOptions, options_);
  }

  bool Open(const Model& stated, int threads, LiteRtKernels kernels, std::string* error) {
    Handle signature = nullptr, subgraph = nullptr;
    return SetOptions(threads, kernels, error) &&
           Check("LiteRtCreateModelFromBuffer",
                 api_.CreateModelFromBuffer(environment_, stated.tflite.data, stated.tflite.size,
                                            &model_),
                 error) &&
           Check("LiteRtGetModelSignature", api_.GetModelSignature(model_, 0, &signature), error) &&
           Check("LiteRtGetSignatureSubgraph", api_.GetSignatureSubgraph(signature, &subgraph),
                 error) &&
           Check("LiteRtCreateCompiledModel",
                 api_.CreateCompiledModel(environment_, model_, options_, &compiled_), error) &&
           OpenSide({"input", api_.GetNumSignatureInputs, api_.GetSignatureInputTensorByIndex,
                     api_.GetSubgraphInput},
                    signature, subgraph, stated.inputs, stated.input_count, inputs_,
                    input_buffers_, error) &&
           OpenSide({"output", api_.GetNumSignatureOutputs, api_.GetSignatureOutputTensorByIndex,
                     api_.GetSubgraphOutput},
                    signature, subgraph, stated.outputs, stated.output_count, outputs_,
                    output_buffers_, error);
  }

  bool Run(const void* const* inputs, void* const* outputs, std::string* error) {
    for (std::size_t i = 0; i < kTensorsMax && inputs_[i].buffer != nullptr; ++i) {
      void* at = Locked(inputs_[i], kLockWrite, error);
      if (at == nullptr) return false;
      std::memcpy(at, inputs[inputs_[i].position], inputs_[i].bytes);
      if (!Unlock(inputs_[i], error)) return false;
    }
    if (!Check("LiteRtRunCompiledModel",
               api_.RunCompiledModel(compiled_, 0, Count(inputs_), input_buffers_, Count(outputs_),
                                     output_buffers_),
               error)) {
      return false;
    }
    for (std::size_t i = 0; i < kTensorsMax && outputs_[i].buffer != nullptr; ++i) {
      const void* at = Locked(outputs_[i], kLockRead, error);
      if (at == nullptr) return false;
      std::memcpy(outputs[outputs_[i].position], at, outputs_[i].bytes);
      if (!Unlock(outputs_[i], error)) return false;
    }
    return true;
  }

 private:
  // A signature's tensor: the memory that a run reads or writes, and its place among the model's own.
  struct Tensor {
    Handle buffer = nullptr;
    std::size_t position = 0, bytes = 0;
  };

  // How LiteRT gives the tensors of one side of a network.
  struct Side {
    const char* name;
    int (*count)(Handle signature, std::size_t* count);
    int (*by_signature)(Handle signature, std::size_t index, Handle* tensor);
    int (*by_position)(Handle subgraph, std::size_t index, Handle* tensor);
  };

  static void Destroy(void (*destroy)(Handle), Handle handle) {
    if (handle != nullptr) destroy(handle);
  }

  static std::size_t Count(const Tensor* tensors) {
    std::size_t count = 0;
    while (count < kTensorsMax && tensors[count].buffer != nullptr) ++count;
    return count;
  }

  bool SetOptions(int threads, LiteRtKernels kernels, std::string* error) {
    if (!Check("LiteRtCreateOptions", api_.CreateOptions(&options_), error) ||
        !Check("LiteRtSetOptionsHardwareAccelerators",
               api_.SetOptionsHardwareAccelerators(options_, kAcceleratorCpu), error)) {
      return false;
    }
    const char* mode = kernels == LiteRtKernels::kXnnpack ? "delegate" : "builtin";
    const std::string text = std::string("kernel_mode = \"") + mode +
                             "\"\nnum_threads = " + std::to_string(threads) + "\n";
    // The options own the TOML text, and free it by the destructor that comes with it.
    void* payload = std::malloc(text.size() + 1);
    if (payload == nullptr) return Check("malloc", -1, error);
    std::memcpy(payload, text.c_str(), text.size() + 1);
    Handle opaque = nullptr;
    if (!Check("LiteRtCreateOpaqueOptions",
               api_.CreateOpaqueOptions("xnnpack", payload, std::free, &opaque), error)) {
      std::free(payload);
      return false;
    }
    if (Check("LiteRtAddOpaqueOptions", api_.AddOpaqueOptions(options_, opaque), error)) return true;
    api_.DestroyOpaqueOptions(opaque);
    return false;
  }

  // A signature lists its tensors by name, a manifest by the order of the model's own.
  bool OpenSide(const Side& side, Handle signature, Handle subgraph, const StatedTensor* stated,
                std::size_t stated_count, Tensor* tensors, Handle* buffers, std::string* error) {
    std::size_t count = 0;
    if (!Check("LiteRtGetNumSignatureTensors", side.count(signature, &count), error)) return false;
    if (count != stated_count) {
      *error = std::string("the .tflite has ") + std::to_string(count) + " " + side.name +
               "s, expected " + std::to_string(stated_count) + " as the manifest says";
      return false;
    }
    for (std::size_t i = 0; i < count; ++i) {
      Handle tensor = nullptr, own = nullptr;
      if (!Check("LiteRtGetSignatureTensorByIndex", side.by_signature(signature, i, &tensor),
                 error)) {
        return false;
      }
      std::size_t position = 0;
      for (; position < count; ++position) {
        if (!Check("LiteRtGetSubgraphTensor", side.by_position(subgraph, position, &own), error)) {
          return false;
        }
        if (own == tensor) break;
      }
      if (position == count) {
        *error = std::string("the signature has an ") + side.name + " that is none of the model's";
        return false;
      }
      if (!OpenTensor(tensor, stated[position], &tensors[i], error)) {
        *error = std::string(side.name) + " " + std::to_string(position) + ": " + *error;
        return false;
      }
      tensors[i].position = position;
      buffers[i] = tensors[i].buffer;
    }
    return true;
  }

  bool OpenTensor(Handle tensor, const StatedTensor& stated, Tensor* opened, std::string* error) {
    RankedType type{};
    if (!Check("LiteRtGetRankedTensorType", api_.GetRankedTensorType(tensor, &type), error)) {
      return false;
    }
    Quantization found{};
    // A tensor that is not quantized per tensor has an error's status here.
    const bool is_quantized = api_.GetPerTensorQuantization(tensor, &found) == kOk;
    bool is_stated = type.element_type == ElementType(stated.spec.dtype) &&
                     type.rank() == stated.shape.rank &&
                     (is_quantized ? found.scale : 1.0f) == stated.spec.scale &&
                     (is_quantized ? found.zero_point : 0) == stated.spec.zero_point;
    for (std::size_t axis = 0; is_stated && axis < stated.shape.rank; ++axis) {
      is_stated = type.sizes[axis] == stated.shape.sizes[axis];
    }
    if (!is_stated) {
      *error = "its shape, dtype or quantization is not what the manifest says";
      return false;
    }
    opened->bytes = stated.bytes();
    return Check("LiteRtCreateManagedTensorBuffer",
                 api_.CreateManagedTensorBuffer(environment_, kHostMemory, &type, opened->bytes,
                                                &opened->buffer),
                 error);
  }

  void* Locked(const Tensor& tensor, int mode, std::string* error) {
    void* at = nullptr;
    return Check("LiteRtLockTensorBuffer", api_.LockTensorBuffer(tensor.buffer, &at, mode), error)
               ? at
               : nullptr;
  }

  bool Unlock(const Tensor& tensor, std::string* error) {
    return Check("LiteRtUnlockTensorBuffer", api_.UnlockTensorBuffer(tensor.buffer), error);
  }

  const Api& api_;
  Handle environment_;
  Handle options_ = nullptr, model_ = nullptr, compiled_ = nullptr;
  Tensor inputs_[kTensorsMax], outputs_[kTensorsMax];
  Handle input_buffers_[kTensorsMax] = {}, output_buffers_[kTensorsMax] = {};
};

}  // namespace litert

// The runtime; it must outlive what its backend opens, and stay where it is.
class LiteRt {
 public:
  explicit LiteRt(LiteRtKernels kernels = LiteRtKernels::kXnnpack) : kernels_(kernels) {}
  LiteRt(const LiteRt&) = delete;
  LiteRt& operator=(const LiteRt&) = delete;

  ~LiteRt() {
    if (environment_ != nullptr) api_.DestroyEnvironment(environment_);
  }

  // Loads LiteRT's library, by path or by the name under which the system finds it; null takes what the
  // program is linked to. False where that fails: `error` says why.
  bool Open(const char* library, std::string* error) {
    if (environment_ != nullptr) return true;
    if (!api_.Load(library, error)) return false;
    return litert::Check("LiteRtCreateEnvironment",
                         api_.CreateEnvironment(0, nullptr, &environment_), error);
  }

  Backend backend() { return {this, OpenModel, RunModel, CloseModel, Names}; }

 private:
  static void* OpenModel(void* context, const Model& model, int threads, std::string* error) {
    const auto* self = static_cast<const LiteRt*>(context);
    if (self->environment_ == nullptr) {
      *error = "LiteRT's library is not open: call Open first";
      return nullptr;
    }
    auto* opened = new litert::OpenModel(self->api_, self->environment_);
    if (opened->Open(model, threads, self->kernels_, error)) return opened;
    delete opened;
    return nullptr;
  }

  static bool RunModel(void*, void* opened, const void* const* inputs, void* const* outputs,
                       std::string* error) {
    return static_cast<litert::OpenModel*>(opened)->Run(inputs, outputs, error);
  }

  static void CloseModel(void*, void* opened) { delete static_cast<litert::OpenModel*>(opened); }

  static RuntimeNames Names(void* context) {
    const bool is_xnnpack = static_cast<const LiteRt*>(context)->kernels_ == LiteRtKernels::kXnnpack;
    return {"LiteRT", is_xnnpack ? "xnnpack" : "builtin"};
  }

  litert::Api api_;
  litert::Handle environment_ = nullptr;
  LiteRtKernels kernels_;
};

}  // namespace tfelastic

#endif  // TFELASTIC_LITERT_H_
