// SPDX-License-Identifier: Apache-2.0
// TFLite as a backend, through its C library, `libtensorflowlite_c.so` or that of its AAR.
//
//     tfelastic::TfLite tflite;
//     std::string error;
//     if (!tflite.Open("libtensorflowlite_c.so", &error)) Log(error);
//     tfelastic::BundleSelector selector(bundle, tflite.backend(), options);
#ifndef TFELASTIC_TFLITE_H_
#define TFELASTIC_TFLITE_H_

#include <cstdarg>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>

#include "tfelastic/backend.h"
#include "tfelastic/interpreter_library.h"

namespace tfelastic {

enum class TfLiteKernels : std::uint8_t {
  kXnnpack,  // XNNPACK's, for the operations that it has.
  kBuiltin,  // TFLite's own.
};

namespace tflite {

using Handle = void*;
using Reporter = void (*)(void* context, const char* format, va_list arguments);

// TfLiteQuantizationParams.
struct Quantization {
  float scale;
  std::int32_t zero_point;
};

// TfLiteXNNPackDelegateOptions: its first field, and more room than any version's others take. A struct of
// this size is returned through memory of the caller's, of which a library fills what it knows.
struct XnnpackOptions {
  std::int32_t num_threads;
  unsigned char others[508];
};

// The functions by their names, without the `TfLite` in front.
#define TFELASTIC_TFLITE_FUNCTIONS(F)                                                        \
  F(Handle, ModelCreate, (const void* bytes, std::size_t count))                             \
  F(void, ModelDelete, (Handle model))                                                       \
  F(Handle, InterpreterOptionsCreate, ())                                                    \
  F(void, InterpreterOptionsDelete, (Handle options))                                        \
  F(void, InterpreterOptionsSetNumThreads, (Handle options, std::int32_t threads))           \
  F(void, InterpreterOptionsSetErrorReporter, (Handle options, Reporter reporter, void* context)) \
  F(void, InterpreterOptionsAddDelegate, (Handle options, Handle delegate))                  \
  F(Handle, InterpreterCreate, (Handle model, Handle options))                               \
  F(void, InterpreterDelete, (Handle interpreter))                                           \
  F(int, InterpreterAllocateTensors, (Handle interpreter))                                   \
  F(int, InterpreterInvoke, (Handle interpreter))                                            \
  F(std::int32_t, InterpreterGetInputTensorCount, (Handle interpreter))                      \
  F(std::int32_t, InterpreterGetOutputTensorCount, (Handle interpreter))                     \
  F(Handle, InterpreterGetInputTensor, (Handle interpreter, std::int32_t index))             \
  F(Handle, InterpreterGetOutputTensor, (Handle interpreter, std::int32_t index))            \
  F(int, TensorType, (Handle tensor))                                                        \
  F(std::int32_t, TensorNumDims, (Handle tensor))                                            \
  F(std::int32_t, TensorDim, (Handle tensor, std::int32_t axis))                             \
  F(Quantization, TensorQuantizationParams, (Handle tensor))                                 \
  F(int, TensorCopyFromBuffer, (Handle tensor, const void* bytes, std::size_t count))        \
  F(int, TensorCopyToBuffer, (Handle tensor, void* bytes, std::size_t count))                \
  F(XnnpackOptions, XNNPackDelegateOptionsDefault, ())                                       \
  F(Handle, XNNPackDelegateCreate, (const XnnpackOptions* options))                          \
  F(void, XNNPackDelegateDelete, (Handle delegate))

struct Api {
#define TFELASTIC_DECLARE(Result, Name, Parameters) Result(*Name) Parameters = nullptr;
  TFELASTIC_TFLITE_FUNCTIONS(TFELASTIC_DECLARE)
#undef TFELASTIC_DECLARE

  bool Load(const char* name, std::string* error) {
    InterpreterLibrary library;
    if (!library.Load(name, error)) return false;
#define TFELASTIC_FIND(Result, Name, Parameters) \
  if (!library.Find("TfLite" #Name, &Name, error)) return false;
    TFELASTIC_TFLITE_FUNCTIONS(TFELASTIC_FIND)
#undef TFELASTIC_FIND
    return true;
  }
};
#undef TFELASTIC_TFLITE_FUNCTIONS

// An open model; its destructor gives back what was taken, last things first.
class OpenModel {
 public:
  explicit OpenModel(const Api& api) : api_(api) {}
  OpenModel(const OpenModel&) = delete;
  OpenModel& operator=(const OpenModel&) = delete;

  ~OpenModel() {
    if (interpreter_ != nullptr) api_.InterpreterDelete(interpreter_);
    if (delegate_ != nullptr) api_.XNNPackDelegateDelete(delegate_);
    if (options_ != nullptr) api_.InterpreterOptionsDelete(options_);
    if (model_ != nullptr) api_.ModelDelete(model_);
  }

  bool Open(const Model& stated, int threads, TfLiteKernels kernels, std::string* error) {
    report_ = error;
    model_ = api_.ModelCreate(stated.tflite.data, stated.tflite.size);
    if (model_ == nullptr) return Fail("TfLiteModelCreate: it is no .tflite", error);
    options_ = api_.InterpreterOptionsCreate();
    if (options_ == nullptr) return Fail("TfLiteInterpreterOptionsCreate failed", error);
    api_.InterpreterOptionsSetNumThreads(options_, threads);
    api_.InterpreterOptionsSetErrorReporter(options_, Report, this);
    if (kernels == TfLiteKernels::kXnnpack) {
      XnnpackOptions options = api_.XNNPackDelegateOptionsDefault();
      options.num_threads = threads;
      delegate_ = api_.XNNPackDelegateCreate(&options);
      if (delegate_ == nullptr) return Fail("TfLiteXNNPackDelegateCreate failed", error);
      api_.InterpreterOptionsAddDelegate(options_, delegate_);
    }
    interpreter_ = api_.InterpreterCreate(model_, options_);
    if (interpreter_ == nullptr) return Fail("TfLiteInterpreterCreate failed", error);
    if (api_.InterpreterAllocateTensors(interpreter_) != 0) {
      return Fail("TfLiteInterpreterAllocateTensors failed", error);
    }
    return CheckTensors("input", api_.InterpreterGetInputTensorCount,
                        api_.InterpreterGetInputTensor, stated.inputs, stated.input_count, inputs_,
                        error) &&
           CheckTensors("output", api_.InterpreterGetOutputTensorCount,
                        api_.InterpreterGetOutputTensor, stated.outputs, stated.output_count,
                        outputs_, error);
  }

  bool Run(const void* const* inputs, void* const* outputs, std::string* error) {
    report_ = error;
    for (std::size_t i = 0; i < kTensorsMax && inputs_[i].handle != nullptr; ++i) {
      if (api_.TensorCopyFromBuffer(inputs_[i].handle, inputs[i], inputs_[i].bytes) != 0) {
        return Fail("TfLiteTensorCopyFromBuffer failed", error);
      }
    }
    if (api_.InterpreterInvoke(interpreter_) != 0) {
      return Fail("TfLiteInterpreterInvoke failed", error);
    }
    for (std::size_t i = 0; i < kTensorsMax && outputs_[i].handle != nullptr; ++i) {
      if (api_.TensorCopyToBuffer(outputs_[i].handle, outputs[i], outputs_[i].bytes) != 0) {
        return Fail("TfLiteTensorCopyToBuffer failed", error);
      }
    }
    return true;
  }

 private:
  struct Tensor {
    Handle handle = nullptr;
    std::size_t bytes = 0;
  };

  using Count = std::int32_t (*)(Handle interpreter);
  using At = Handle (*)(Handle interpreter, std::int32_t index);

  // TFLite's own words go in front of what failed.
  static void Report(void* context, const char* format, va_list arguments) {
    char text[256];
    std::vsnprintf(text, sizeof(text), format, arguments);
    *static_cast<OpenModel*>(context)->report_ += std::string(text) + ": ";
  }

  static bool Fail(const char* what, std::string* error) {
    *error += what;
    return false;
  }

  bool CheckTensors(const char* name, Count count, At at, const StatedTensor* stated,
                    std::size_t stated_count, Tensor* tensors, std::string* error) {
    const auto found = static_cast<std::size_t>(count(interpreter_));
    if (found != stated_count) {
      *error += std::string("the .tflite has ") + std::to_string(found) + " " + name +
                "s, expected " + std::to_string(stated_count) + " as the manifest says";
      return false;
    }
    for (std::size_t i = 0; i < found; ++i) {
      tensors[i] = {at(interpreter_, static_cast<std::int32_t>(i)), stated[i].bytes()};
      if (IsStated(tensors[i].handle, stated[i])) continue;
      *error += std::string(name) + " " + std::to_string(i) +
                ": its shape, dtype or quantization is not what the manifest says";
      return false;
    }
    return true;
  }

  bool IsStated(Handle tensor, const StatedTensor& stated) const {
    const Quantization found = api_.TensorQuantizationParams(tensor);
    // TFLite gives scale 0 for a tensor that is not quantized.
    bool is_stated = api_.TensorType(tensor) == ElementType(stated.spec.dtype) &&
                     api_.TensorNumDims(tensor) == stated.shape.rank &&
                     (found.scale > 0 ? found.scale : 1.0f) == stated.spec.scale &&
                     found.zero_point == stated.spec.zero_point;
    for (std::int32_t axis = 0; is_stated && axis < stated.shape.rank; ++axis) {
      is_stated = api_.TensorDim(tensor, axis) == stated.shape.sizes[axis];
    }
    return is_stated;
  }

  const Api& api_;
  Handle model_ = nullptr, options_ = nullptr, delegate_ = nullptr, interpreter_ = nullptr;
  std::string* report_ = nullptr;
  Tensor inputs_[kTensorsMax], outputs_[kTensorsMax];
};

}  // namespace tflite

// The runtime; it must outlive what its backend opens, and stay where it is.
class TfLite {
 public:
  explicit TfLite(TfLiteKernels kernels = TfLiteKernels::kXnnpack) : kernels_(kernels) {}
  TfLite(const TfLite&) = delete;
  TfLite& operator=(const TfLite&) = delete;

  // Loads TFLite's library, by path or by the name under which the system finds it; null takes what the
  // program is linked to. False where that fails: `error` says why.
  bool Open(const char* library, std::string* error) {
    is_open_ = is_open_ || api_.Load(library, error);
    return is_open_;
  }

  Backend backend() { return {this, OpenModel, RunModel, CloseModel, Names}; }

 private:
  static void* OpenModel(void* context, const Model& model, int threads, std::string* error) {
    const auto* self = static_cast<const TfLite*>(context);
    if (!self->is_open_) {
      *error = "TFLite's library is not open: call Open first";
      return nullptr;
    }
    auto* opened = new tflite::OpenModel(self->api_);
    if (opened->Open(model, threads, self->kernels_, error)) return opened;
    delete opened;
    return nullptr;
  }

  static bool RunModel(void*, void* opened, const void* const* inputs, void* const* outputs,
                       std::string* error) {
    return static_cast<tflite::OpenModel*>(opened)->Run(inputs, outputs, error);
  }

  static void CloseModel(void*, void* opened) { delete static_cast<tflite::OpenModel*>(opened); }

  static RuntimeNames Names(void* context) {
    const bool is_xnnpack = static_cast<const TfLite*>(context)->kernels_ == TfLiteKernels::kXnnpack;
    return {"TFLite", is_xnnpack ? "xnnpack" : "builtin"};
  }

  tflite::Api api_;
  TfLiteKernels kernels_;
  bool is_open_ = false;
};

}  // namespace tfelastic

#endif  // TFELASTIC_TFLITE_H_
