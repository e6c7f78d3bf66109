// What the written project uses of TensorFlow Lite for Microcontrollers (TFLM), with the types that it expects.
//
// The tests compile this against their stub. Against a TFLM tree, anyone can:
//
//     g++ -std=c++17 -fsyntax-only -DTF_LITE_STATIC_MEMORY -Iruntime/cpp/include -isystem /tflm \
//         -isystem /tflm/.../flatbuffers/include -isystem /tflm/.../gemmlowp \
//         tests/tflite_export/embed/tflm_signatures.cc
//
// Source: github.com/tensorflow/tflite-micro at 90b983c2b3f1480642e040bbd2ddb37b998f3424 (August 2026), the paths as
// included here. The tests look up what is linked in the tflite-micro wheel that this project pins, too: it was
// built from 8f6596d, which declares the same in namespace tflite::micro.
#include <type_traits>

#include "tensorflow/lite/micro/kernels/add.h"
#include "tensorflow/lite/micro/kernels/conv.h"
#include "tensorflow/lite/micro/kernels/depthwise_conv.h"
#include "tensorflow/lite/micro/kernels/fully_connected.h"
#include "tensorflow/lite/micro/kernels/mul.h"
#include "tensorflow/lite/micro/kernels/pooling.h"
#include "tensorflow/lite/micro/kernels/softmax.h"
#include "tfelastic/tflm.h"

namespace tfelastic {
namespace tflm {

template <typename Expected, typename Given>
constexpr bool kIs = std::is_same<Expected, Given>::value;

// tensorflow/lite/micro/micro_interpreter.h
using Bytes8 = std::uint8_t*;
static_assert(std::is_constructible<MicroInterpreter, const Model*, const MicroOpResolver&, Bytes8, std::size_t,
                                    MicroResourceVariables*, MicroProfilerInterface*>::value,
              "in an arena of its own");
static_assert(std::is_constructible<MicroInterpreter, const Model*, const MicroOpResolver&, MicroAllocator*,
                                    MicroResourceVariables*, MicroProfilerInterface*>::value,
              "in an allocator's");
static_assert(kIs<TfLiteStatus (MicroInterpreter::*)(), decltype(&MicroInterpreter::AllocateTensors)>, "");
static_assert(kIs<TfLiteStatus (MicroInterpreter::*)(), decltype(&MicroInterpreter::Invoke)>, "");
static_assert(kIs<TfLiteTensor* (MicroInterpreter::*)(std::size_t), decltype(&MicroInterpreter::input)>, "");
static_assert(kIs<TfLiteTensor* (MicroInterpreter::*)(std::size_t), decltype(&MicroInterpreter::output)>, "");
static_assert(kIs<std::size_t (MicroInterpreter::*)() const, decltype(&MicroInterpreter::inputs_size)>, "");
static_assert(kIs<std::size_t (MicroInterpreter::*)() const, decltype(&MicroInterpreter::outputs_size)>, "");
static_assert(kIs<std::size_t (MicroInterpreter::*)() const, decltype(&MicroInterpreter::arena_used_bytes)>, "");

// tensorflow/lite/micro/micro_allocator.h
static_assert(kIs<MicroAllocator*, decltype(MicroAllocator::Create(Bytes8(), std::size_t()))>, "");

// tensorflow/lite/schema/schema_generated.h
static_assert(kIs<const Model*, decltype(GetModel(static_cast<const void*>(nullptr)))>, "");

// tensorflow/lite/core/c/common.h, c_api_types.h
static_assert(kIs<char*, decltype(TfLiteTensor().data.raw)>, "");
static_assert(kIs<std::size_t, decltype(TfLiteTensor().bytes)>, "");
static_assert(kIs<TfLiteType, decltype(TfLiteTensor().type)>, "");
static_assert(kIs<float, decltype(TfLiteTensor().params.scale)>, "");
static_assert(kIs<std::int32_t, decltype(TfLiteTensor().params.zero_point)>, "");
static_assert(kTfLiteOk == 0 && kTfLiteError == 1, "");
static_assert(kTfLiteFloat32 == 1 && kTfLiteInt32 == 2 && kTfLiteUInt8 == 3 && kTfLiteInt16 == 7 && kTfLiteInt8 == 9,
              "");

// tensorflow/lite/micro/micro_profiler_interface.h
static_assert(kIs<std::uint32_t (MicroProfilerInterface::*)(const char*),
                  decltype(&MicroProfilerInterface::BeginEvent)>, "");
static_assert(kIs<void (MicroProfilerInterface::*)(std::uint32_t), decltype(&MicroProfilerInterface::EndEvent)>, "");

// tensorflow/lite/micro/micro_mutable_op_resolver.h, kernels/*.h
using Resolver = MicroMutableOpResolver<1>;
static_assert(std::is_base_of<MicroOpResolver, Resolver>::value, "");
static_assert(kIs<TfLiteStatus, decltype(Resolver().AddMean())>, "");
static_assert(kIs<TfLiteStatus, decltype(Resolver().AddAdd(Register_ADD_INT8()))>, "");
static_assert(kIs<TfLiteStatus, decltype(Resolver().AddAveragePool2D(Register_AVERAGE_POOL_2D_INT8()))>, "");
static_assert(kIs<TfLiteStatus, decltype(Resolver().AddConv2D(Register_CONV_2D_INT8()))>, "");
static_assert(kIs<TfLiteStatus, decltype(Resolver().AddDepthwiseConv2D(Register_DEPTHWISE_CONV_2D_INT8()))>, "");
static_assert(kIs<TfLiteStatus, decltype(Resolver().AddFullyConnected(Register_FULLY_CONNECTED_INT8()))>, "");
static_assert(kIs<TfLiteStatus, decltype(Resolver().AddMul(Register_MUL_INT8()))>, "");
static_assert(kIs<TfLiteStatus, decltype(Resolver().AddSoftmax(Register_SOFTMAX_INT8()))>, "");

}  // namespace tflm
}  // namespace tfelastic

int main() { return 0; }
