// SPDX-License-Identifier: Apache-2.0
// One variant of a bundle, open in a backend. Not thread-safe.
#ifndef TFELASTIC_OPEN_VARIANT_H_
#define TFELASTIC_OPEN_VARIANT_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "tfelastic/backend.h"
#include "tfelastic/bundle.h"
#include "tfelastic/encoding.h"
#include "tfelastic/status.h"

namespace tfelastic {

// Memory at a multiple of 16 bytes, without C++17's aligned `new`, which old phones' libraries lack.
class AlignedBytes {
 public:
  void Resize(std::size_t bytes) {
    memory_.assign(bytes + kAlignment - 1, 0);
    const auto address = reinterpret_cast<std::uintptr_t>(memory_.data());
    offset_ = (kAlignment - address % kAlignment) % kAlignment;
  }
  std::uint8_t* data() { return memory_.data() + offset_; }

 private:
  std::vector<std::uint8_t> memory_;
  std::size_t offset_ = 0;
};

// Inputs of zeros: black pixels, and values of 0.
class BlankInputs {
 public:
  explicit BlankInputs(const Bundle& bundle) {
    const std::size_t count = bundle.manifest().input_count;
    std::size_t largest = 0;
    for (std::size_t i = 0; i < count; ++i) {
      InputSpec spec;
      if (bundle.Input(i, &spec) == Status::kOk && spec.shape.Elements() > largest) {
        largest = spec.shape.Elements();
      }
    }
    zeros_.assign(largest, 0.0f);
    inputs_.assign(count, zeros_.data());
  }
  BlankInputs(const BlankInputs&) = delete;
  BlankInputs& operator=(const BlankInputs&) = delete;

  const void* const* data() const { return inputs_.data(); }

 private:
  std::vector<float> zeros_;
  std::vector<const void*> inputs_;
};

class OpenVariant {
 public:
  explicit OpenVariant(const Backend& backend) : backend_(backend) {}
  OpenVariant(const OpenVariant&) = delete;
  OpenVariant& operator=(const OpenVariant&) = delete;

  ~OpenVariant() {
    if (opened_ != nullptr) backend_.close(backend_.context, opened_);
  }

  // Takes the variant out of the bundle, whose bytes must outlive this, opens it and runs it once on
  // zeros: a first run allocates and fills caches, and would spoil a measurement. kAllocation or
  // kInvocation where the backend refuses it; `error` says why.
  Status Open(const Bundle& bundle, std::size_t index, int threads, std::string* error) {
    Status status = bundle.At(index, &variant_);
    if (status == Status::kOk) status = ReadTensors(bundle);
    if (status == Status::kOk) status = Load(bundle);
    if (status != Status::kOk) {
      *error = Describe(status);
      return status;
    }
    opened_ = backend_.open(backend_.context, model_, threads, error);
    return opened_ != nullptr ? RunStored(error) : Status::kAllocation;
  }

  // Inputs and outputs are in the manifest's order: pixels (uint8) or real numbers (float), and real
  // numbers. An output that is null is not decoded; none is where `outputs` is.
  Status Run(const void* const* inputs, float* const* outputs, std::string* error) {
    for (std::size_t i = 0; i < model_.input_count; ++i) {
      const TensorSpec& spec = variant_.inputs[i];
      const std::size_t elements = model_.inputs[spec.position].shape.Elements();
      void* at = inputs_[spec.position].data();
      if (kinds_[i] == InputKind::kImage) {
        Encode(static_cast<const std::uint8_t*>(inputs[i]), elements, spec, at);
      } else {
        const Status status = Encode(static_cast<const float*>(inputs[i]), elements, spec, at);
        if (status != Status::kOk) return status;
      }
    }
    const Status status = RunStored(error);
    if (status != Status::kOk || outputs == nullptr) return status;
    for (std::size_t i = 0; i < model_.output_count; ++i) {
      if (outputs[i] == nullptr) continue;
      const TensorSpec& spec = variant_.outputs[i];
      const std::size_t elements = model_.outputs[spec.position].shape.Elements();
      Decode(outputs_[spec.position].data(), elements, spec, outputs[i]);
    }
    return Status::kOk;
  }

 private:
  Status RunStored(std::string* error) {
    const bool has_run = backend_.run(backend_.context, opened_, stored_inputs_, stored_outputs_, error);
    return has_run ? Status::kOk : Status::kInvocation;
  }

  // Sorts what the manifest states into the .tflite's own order, and makes room for it.
  Status ReadTensors(const Bundle& bundle) {
    model_.input_count = bundle.manifest().input_count;
    model_.output_count = bundle.manifest().output_count;
    for (std::size_t i = 0; i < model_.input_count; ++i) {
      InputSpec input;
      const Status status = bundle.Input(i, &input);
      if (status != Status::kOk) return status;
      kinds_[i] = input.kind;
      const std::size_t position = variant_.inputs[i].position;
      model_.inputs[position] = {input.shape, variant_.inputs[i]};
      inputs_[position].Resize(model_.inputs[position].bytes());
      stored_inputs_[position] = inputs_[position].data();
    }
    for (std::size_t i = 0; i < model_.output_count; ++i) {
      OutputSpec output;
      const Status status = bundle.Output(i, &output);
      if (status != Status::kOk) return status;
      const std::size_t position = variant_.outputs[i].position;
      model_.outputs[position] = {output.shape, variant_.outputs[i]};
      outputs_[position].Resize(model_.outputs[position].bytes());
      stored_outputs_[position] = outputs_[position].data();
    }
    return Status::kOk;
  }

  Status Load(const Bundle& bundle) {
    const std::uint8_t* tflite = nullptr;
    Status status = bundle.InPlace(variant_, &tflite);
    if (status == Status::kNotInPlace) {
      expanded_.Resize(variant_.bytes);
      status = bundle.Expand(variant_, expanded_.data(), variant_.bytes);
      tflite = expanded_.data();
    }
    model_.tflite = {tflite, variant_.bytes};
    return status;
  }

  Backend backend_;
  void* opened_ = nullptr;
  Variant variant_{};
  Model model_{};
  InputKind kinds_[kTensorsMax] = {};
  AlignedBytes expanded_, inputs_[kTensorsMax], outputs_[kTensorsMax];
  const void* stored_inputs_[kTensorsMax] = {};
  void* stored_outputs_[kTensorsMax] = {};
};

}  // namespace tfelastic

#endif  // TFELASTIC_OPEN_VARIANT_H_
