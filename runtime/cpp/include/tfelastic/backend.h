// SPDX-License-Identifier: Apache-2.0
// What runs a variant's .tflite on a phone or host: four functions around an interpreter.
#ifndef TFELASTIC_BACKEND_H_
#define TFELASTIC_BACKEND_H_

#include <cstddef>
#include <string>

#include "tfelastic/bytes.h"
#include "tfelastic/limits.h"
#include "tfelastic/status.h"
#include "tfelastic/tensor.h"

namespace tfelastic {

// A tensor as the manifest states it.
struct StatedTensor {
  Shape shape;
  TensorSpec spec;

  std::size_t bytes() const { return shape.Elements() * ItemBytes(spec.dtype); }
};

// A variant's .tflite, at a multiple of 16 bytes, and its inputs and outputs in its own order.
struct Model {
  Bytes tflite;
  std::size_t input_count, output_count;
  StatedTensor inputs[kTensorsMax], outputs[kTensorsMax];
};

// What runs the variants, as a measured table names it; null where that is not known.
struct RuntimeNames {
  const char* runtime;  // Such as "LiteRT".
  const char* kernels;  // Such as "xnnpack".
};

// `context` is the backend's own, and the first argument of each function. None throws; one that
// fails says why in `error`. One model is used by one thread at a time, but another one may be opened
// or closed meanwhile.
struct Backend {
  void* context;

  // Opens a model whose bytes stay where they are until it is closed, and compares its tensors with
  // those that are stated. Null where it fails.
  void* (*open)(void* context, const Model& model, int threads, std::string* error);

  // Runs once: reads every input and fills every output, as they are stored, in the model's order.
  bool (*run)(void* context, void* opened, const void* const* inputs, void* const* outputs,
              std::string* error);

  void (*close)(void* context, void* opened);

  RuntimeNames (*describe)(void* context);
};

}  // namespace tfelastic

#endif  // TFELASTIC_BACKEND_H_
