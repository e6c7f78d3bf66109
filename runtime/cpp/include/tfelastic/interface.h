// SPDX-License-Identifier: Apache-2.0
// A network's interface: its inputs and outputs by name, and how a variant stores each of them.
#ifndef TFELASTIC_INTERFACE_H_
#define TFELASTIC_INTERFACE_H_

#include <cstddef>
#include <cstdint>

#include "tfelastic/json.h"
#include "tfelastic/limits.h"
#include "tfelastic/tensor.h"

namespace tfelastic {

struct InputSpec {
  char name[kTensorNameBytesMax + 1];  // UTF-8; ends with a zero byte.
  Shape shape;
  InputKind kind;
};

struct OutputSpec {
  char name[kTensorNameBytesMax + 1];
  Shape shape;
  OutputKind kind;
  std::int32_t label_count;  // As many as the last axis is long, or 0. `Bundle::Label` reads one.
  internal::Json labels;     // Points into the bundle.
};

namespace internal {

constexpr double kScaleMin = 0x1p-126, kScaleMax = 0x1p127;

struct DTypeRule {
  const char* name;
  DType dtype;
  std::int32_t lowest, highest;  // Zero points.
  bool is_scaled;
};

constexpr DTypeRule kDTypes[] = {{"int8", DType::kInt8, -128, 127, true},
                                 {"uint8", DType::kUint8, 0, 255, true},
                                 {"int16", DType::kInt16, 0, 0, true},
                                 {"int32", DType::kInt32, 0, 0, false},
                                 {"float32", DType::kFloat32, 0, 0, false}};

inline bool ReadTensor(Json json, TensorSpec* spec) {
  Json fields[4];
  double scale;
  std::int64_t position, zero_point;
  if (!Fields(json, Keys::kExactly, {"position", "dtype", "scale", "zero_point"}, fields) ||
      !fields[0].Integer(0, kTensorsMax - 1, &position) ||
      !fields[2].Number(kScaleMin, kScaleMax, &scale)) {
    return false;
  }
  for (const DTypeRule& rule : kDTypes) {
    if (!fields[1].IsText(rule.name)) continue;
    if (!fields[3].Integer(rule.lowest, rule.highest, &zero_point)) return false;
    *spec = {static_cast<std::uint8_t>(position), rule.dtype, static_cast<float>(scale),
             static_cast<std::int32_t>(zero_point)};
    return rule.is_scaled || scale == 1.0;
  }
  return false;
}

// Reads `count` tensors, each at a position of its own.
inline bool ReadTensors(Json json, std::size_t count, TensorSpec* specs) {
  if (!json.IsArray() || Count(json) != count) return false;
  std::uint32_t taken = 0;
  for (JsonItems items(json); items.Next(); ++specs) {
    if (!ReadTensor(items.value(), specs) || specs->position >= count) return false;
    const std::uint32_t bit = std::uint32_t{1} << specs->position;
    if ((taken & bit) != 0) return false;
    taken |= bit;
  }
  return true;
}

inline bool ReadShape(Json json, Shape* shape) {
  if (!json.IsArray()) return false;
  std::int64_t elements = 1;
  shape->rank = 0;
  for (JsonItems items(json); items.Next(); ++shape->rank) {
    std::int64_t size;
    if (shape->rank == kRankMax ||
        !items.value().Integer(1, shape->rank == 0 ? 1 : kSizeMax, &size)) {
      return false;
    }
    elements *= size;  // Below 2^47: what it was before is checked below.
    if (elements > kElementsMax) return false;
    shape->sizes[shape->rank] = static_cast<std::int32_t>(size);
  }
  return shape->rank >= 1;
}

inline bool ReadTensorName(Json json, char* name) {
  JsonText text;
  if (!json.Text(&text) || !text.IsPlain(kTensorNameMax)) return false;
  text.Copy(name, kTensorNameBytesMax + 1);
  return true;
}

// What the manifest says of every image of raw pixels.
inline bool IsRawPixels(Json layout, Json range) {
  if (!layout.IsText("NHWC") || !range.IsArray()) return false;
  std::size_t place = 0;
  for (JsonItems items(range); items.Next(); ++place) {
    const std::int64_t expected = place == 0 ? 0 : 255;
    if (!items.value().IsInteger(expected, expected)) return false;
  }
  return place == 2;
}

inline bool ReadInput(Json json, InputSpec* spec) {
  Json fields[3], meaning[5];
  if (!Fields(json, Keys::kAtLeast, {"name", "shape", "kind"}, fields) ||
      !ReadTensorName(fields[0], spec->name) || !ReadShape(fields[1], &spec->shape)) {
    return false;
  }
  if (fields[2].IsText("image")) {
    spec->kind = InputKind::kImage;
    return spec->shape.rank == 4 &&
           Fields(json, Keys::kExactly, {"name", "shape", "kind", "layout", "range"}, meaning) &&
           IsRawPixels(meaning[3], meaning[4]);
  }
  spec->kind = InputKind::kValues;
  return fields[2].IsText("values") &&
         Fields(json, Keys::kExactly, {"name", "shape", "kind"}, fields);
}

inline bool ReadOutputKind(Json json, OutputKind* kind) {
  *kind = json.IsText("logits")          ? OutputKind::kLogits
          : json.IsText("probabilities") ? OutputKind::kProbabilities
                                         : OutputKind::kValues;
  return *kind != OutputKind::kValues || json.IsText("values");
}

inline bool ReadOutput(Json json, OutputSpec* spec) {
  Json fields[4];
  if (!Fields(json, Keys::kExactly, {"name", "shape", "kind", "labels"}, fields) ||
      !ReadTensorName(fields[0], spec->name) || !ReadShape(fields[1], &spec->shape) ||
      !ReadOutputKind(fields[2], &spec->kind)) {
    return false;
  }
  spec->label_count = 0;
  spec->labels = fields[3];
  if (spec->labels.IsNull()) return true;
  if (!spec->labels.IsArray()) return false;
  for (JsonItems items(spec->labels); items.Next(); ++spec->label_count) {
    if (!items.value().IsText(kTextMax)) return false;
  }
  return spec->label_count == spec->shape.sizes[spec->shape.rank - 1];
}

// Whether no other of the array's objects before it has the name of the one at `index`.
inline bool HasOwnName(Json array, std::size_t index, Json object) {
  Json name[1], other[1];
  JsonText mine, theirs;
  if (!Fields(object, Keys::kAtLeast, {"name"}, name) || !name[0].Text(&mine)) return false;
  JsonItems items(array);
  for (std::size_t i = 0; i < index && items.Next(); ++i) {
    if (Fields(items.value(), Keys::kAtLeast, {"name"}, other) && other[0].Text(&theirs) &&
        mine.Equals(theirs)) {
      return false;
    }
  }
  return true;
}

// Checks an array of inputs or outputs, at least one, and counts them.
template <typename Spec>
bool AreTensors(Json array, bool (*read)(Json, Spec*), std::size_t* count) {
  if (!array.IsArray()) return false;
  *count = 0;
  for (JsonItems items(array); items.Next(); ++*count) {
    Spec spec;
    if (*count == kTensorsMax || !read(items.value(), &spec) ||
        !HasOwnName(array, *count, items.value())) {
      return false;
    }
  }
  return *count >= 1;
}

}  // namespace internal
}  // namespace tfelastic

#endif  // TFELASTIC_INTERFACE_H_
