"""The C++ sources that carry a bundle onto a microcontroller."""

from __future__ import annotations

import sysconfig
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tfelastic_runtime import Manifest, TensorSpec

from tflite_export._embed.flash import Flash, Placed
from tflite_export.errors import PackError

PROJECT = ("Makefile", "main.cc")
"""Files that are the same for every bundle; they lie in `project/`."""
HEADERS = ("bytes.h", "delta.h", "status.h")
"""Of the C++ runtime: what expanding a variant takes."""
BYTES_IN_A_LINE = 20
_GUARD = "// Written by `tfelastic embed`.\n"
_IRREGULAR = {"BATCH_MATMUL": "BatchMatMul", "CUMSUM": "CumSum", "PADV2": "PadV2"}


def sources(
    flash: Flash, manifest: Manifest, *, arenas: Mapping[str, int], operators: Sequence[str]
) -> dict[str, str]:
    """Return the texts of all files, by their paths in the project.

    Args:
        flash: The array, and where each variant lies in it.
        manifest: The bundle's.
        arenas: Bytes of each variant's arena, margin included.
        operators: The union of the variants' operators, as the schema names them.

    Raises:
        PackError: TFLM has no such operator, or the runtime's headers are not installed.
    """
    project = Path(__file__).with_name("project")
    headers = _headers()
    return {
        "model_data.h": _data_header(flash),
        "model_data.cc": "".join(_data(flash.data)),
        "variants.h": _variants(flash, manifest, arenas),
        "operators.h": _operators(operators),
        **{name: (project / name).read_text("utf-8") for name in PROJECT},
        **{f"include/tfelastic/{name}": (headers / name).read_text("utf-8") for name in HEADERS},
    }


def _headers() -> Path:
    """Return where the C++ runtime's headers are: in a checkout, or as they were installed."""
    checkout = Path(__file__).parents[2] / "runtime" / "cpp" / "include" / "tfelastic"
    installed = Path(sysconfig.get_path("data")) / "include" / "tfelastic"
    for folder in (checkout, installed):
        if (folder / HEADERS[0]).is_file():
            return folder
    raise PackError(
        f"the C++ runtime's headers are neither in {checkout} nor in {installed}: install tfelastic anew"
    )


def _data_header(flash: Flash) -> str:
    return f"""{_GUARD}#ifndef MODEL_DATA_H_
#define MODEL_DATA_H_

namespace model {{

// Every variant; `variants.h` tells where each lies.
constexpr unsigned kDataBytes = {len(flash.data)};
extern const unsigned char kData[kDataBytes];

}}  // namespace model

#endif  // MODEL_DATA_H_
"""


def _data(data: bytes) -> Iterator[str]:
    yield f'{_GUARD}#include "model_data.h"\n\nnamespace model {{\n\n'
    yield "alignas(16) extern const unsigned char kData[kDataBytes] = {\n"
    for at in range(0, len(data), BYTES_IN_A_LINE):
        yield f"    {','.join(map(str, data[at : at + BYTES_IN_A_LINE]))},\n"
    yield "};\n\n}  // namespace model\n"


def _variants(flash: Flash, manifest: Manifest, arenas: Mapping[str, int]) -> str:
    (image,), (answer,) = manifest.inputs, manifest.outputs
    _, height, width, channels = image.shape
    order = manifest.score.order
    rows = "".join(
        _row(placed, arenas[placed.variant.name], order(placed.variant.score))
        for placed in flash.placed
    )
    return f"""{_GUARD}#ifndef VARIANTS_H_
#define VARIANTS_H_

#include <cstddef>
#include <cstdint>

#include "model_data.h"
#include "tfelastic/delta.h"

namespace model {{

// How an input or output is stored: real = (stored - zero_point) * scale. The input takes raw pixels,
// 0 to 255: in int8 that is pixel - 128.
struct Tensor {{
  float scale;
  int zero_point;
}};

struct Variant {{
  const char* name;
  bool in_place;               // Runs where it lies; else it is copied into RAM first.
  std::uint32_t offset;        // Of the .tflite in kData, or of the delta that writes it.
  std::uint32_t stored_bytes;
  std::uint32_t bytes;         // Of the .tflite.
  std::uint32_t arena_bytes;   // Measured, and the margin.
  std::int32_t score_order;    // Larger for a better {manifest.score.metric}; `tfelastic::Row` takes it.
  Tensor input;
  Tensor output;
}};

// The widest first.
constexpr Variant kVariants[] = {{
{rows}}};

constexpr int kHeight = {height}, kWidth = {width}, kChannels = {channels}, kClasses = {answer.shape[-1]};
// What the most demanding variant needs.
constexpr std::size_t kArenaBytes = {max(arenas.values())};
constexpr std::size_t kCopyBytes = {max(placed.ram_bytes for placed in flash.placed)};

// The variant's .tflite, at a multiple of 16 bytes: where it lies, or copied into `buffer`, which must
// lie so too. Null where the buffer is too small.
inline const unsigned char* Load(const Variant& variant, std::uint8_t* buffer, std::size_t capacity) {{
  if (variant.in_place) return kData + variant.offset;
  if (variant.bytes > capacity) return nullptr;
  const tfelastic::Bytes data{{kData, kDataBytes}};
  const tfelastic::Status status = tfelastic::ExpandDelta(
      data.Sub(variant.offset, variant.stored_bytes), data, buffer, variant.bytes);
  return status == tfelastic::Status::kOk ? buffer : nullptr;
}}

}}  // namespace model

#endif  // VARIANTS_H_
"""


def _row(placed: Placed, arena_bytes: int, score_order: int) -> str:
    variant = placed.variant
    numbers = (placed.offset, placed.stored_bytes, len(placed.model), arena_bytes)
    return (
        f'    {{"{variant.name}", {str(placed.in_place).lower()}, {", ".join(map(str, numbers))}, '
        f"{score_order}, {_tensor(variant.inputs[0])}, {_tensor(variant.outputs[0])}}},\n"
    )


def _tensor(spec: TensorSpec) -> str:
    # Nine digits tell every float32 from its neighbours.
    return f"{{{spec.scale:#.9g}f, {spec.zero_point}}}"


def _operators(operators: Sequence[str]) -> str:
    added = "".join(
        f"  if (resolver->{_adder(name)}() != kTfLiteOk) return kTfLiteError;\n"
        for name in operators
    )
    return f"""{_GUARD}#ifndef OPERATORS_H_
#define OPERATORS_H_

#include "tensorflow/lite/micro/micro_mutable_op_resolver.h"

namespace model {{

// The operators of all variants, and no others: what is not named is not linked.
using Resolver = tflite::MicroMutableOpResolver<{len(operators)}>;

inline TfLiteStatus AddOperators(Resolver* resolver) {{
{added}  return kTfLiteOk;
}}

}}  // namespace model

#endif  // OPERATORS_H_
"""


def _adder(name: str) -> str:
    """Return the resolver's method for an operator: `CONV_2D` is added by `AddConv2D`."""
    if name.startswith("CUSTOM:"):
        raise PackError(f"operator {name}: TFLM knows no custom operators by name; export anew")
    words = (word if word == "2D" else word.capitalize() for word in name.split("_"))
    return "Add" + _IRREGULAR.get(name, "".join(words))
