"""The C++ sources that carry a bundle onto a microcontroller."""

from __future__ import annotations

import importlib.metadata
import sysconfig
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tfelastic_runtime import InputSpec, Manifest, OutputSpec, Profile, TensorSpec

from tflite_export._embed.flash import Flash, Placed
from tflite_export._embed.identifiers import constant, identifiers
from tflite_export._embed.memory import Buffers
from tflite_export._embed.operators import Registration
from tflite_export._embed.templates import render
from tflite_export.errors import PackError

HEADERS = (
    *("bytes.h", "clock.h", "delta.h", "encoding.h", "limits.h", "network.h", "policy.h"),
    *("result.h", "selector.h", "serial_profile.h", "status.h", "tensor.h", "tflm.h"),
)
"""Of the C++ runtime: what a firmware that selects takes."""
SOURCES = ("c", "data", "memory", "tables")
"""What is compiled: `NAME_c.cc` and so on."""
BYTES_IN_A_LINE = 20
_CHECKOUT = Path(__file__).parents[2]
_DTYPES = {
    "int8": "kInt8",
    "uint8": "kUint8",
    "int16": "kInt16",
    "int32": "kInt32",
    "float32": "kFloat32",
}


@dataclass(frozen=True, kw_only=True)
class Firmware:
    """All that the sources say.

    Attributes:
        name: The network's: namespace, files and macros.
        flash: The array, and where each variant lies in it.
        manifest: The bundle's.
        bundle_sha256: SHA-256 of the bundle's payload.
        arenas: Bytes of each variant's arena, margin included, by name.
        buffers: The firmware's buffers.
        registrations: The union of the variants' operators.
        resident: Whether all variants stay open in one arena.
        profile: A table that was measured before, or None: the firmware measures at first start.
        kernels: The library of kernels that the arenas are for.
    """

    name: str
    flash: Flash
    manifest: Manifest
    bundle_sha256: str
    arenas: Mapping[str, int]
    buffers: Buffers
    registrations: Sequence[Registration]
    resident: bool
    profile: Profile | None
    kernels: str


def generated(firmware: Firmware, *, suffix: str = ".cc") -> dict[str, str]:
    """Return the texts of the generated sources and headers by their paths, LICENSE included.

    Args:
        firmware: What they say.
        suffix: Of C++ sources.

    Raises:
        PackError: The runtime's headers or the license are not installed.
    """
    values = placeholders(firmware)
    name, headers = firmware.name, header_folder()
    templates = {f"{name}.h": "network.h"}
    templates |= {f"{name}_{part}.h": f"network_{part}.h" for part in ("c", "data", "operators")}
    templates |= {f"{name}_{part}{suffix}": f"network_{part}.cc" for part in SOURCES}
    return {
        **{path: render(template, values) for path, template in templates.items()},
        **{f"tfelastic/{header}": (headers / header).read_text("utf-8") for header in HEADERS},
        "LICENSE": _license(),
    }


def placeholders(firmware: Firmware) -> dict[str, str]:
    """Return what stands in the templates' places."""
    name, manifest = firmware.name, firmware.manifest
    tensors = identifiers(
        [each.name for each in manifest.inputs] + [each.name for each in manifest.outputs]
    )
    inputs, outputs = tensors[: len(manifest.inputs)], tensors[len(manifest.inputs) :]
    values = {
        "name": name,
        "NAME": name.upper(),
        "kernels": firmware.kernels,
        "variant_count": str(len(firmware.flash.placed)),
        "input_count": str(len(inputs)),
        "output_count": str(len(outputs)),
        "input_pointers": ", ".join(f"inputs.{each}" for each in inputs),
        "output_pointers": ", ".join(f"outputs.{each}" for each in outputs),
        "input_names": ", ".join(f"{each}_data" for each in inputs),
        "output_names": ", ".join(f"{each}_data" for each in outputs),
        **_interface(manifest, inputs, outputs, name.upper()),
        **_labels(manifest, outputs, name),
        **_tables(firmware),
        **_operators(firmware.registrations),
        **_starter(manifest, inputs, outputs, name),
        "memory_rows": "".join(_memory_row(firmware, each) for each in firmware.flash.placed),
        "data_bytes": str(len(firmware.flash.data)),
        "data": "".join(_data(firmware.flash.data)),
        "crc32": str(zlib.crc32(firmware.flash.data)),
        "bundle_sha256": firmware.bundle_sha256,
        "engine": "tfelastic::ResidentTflmEngine<kVariants>"
        if firmware.resident
        else "tfelastic::TflmEngine",
    }
    return values | _sizes(firmware)


def _sizes(firmware: Firmware) -> dict[str, str]:
    buffers = firmware.buffers
    if firmware.resident:
        resident = str(buffers.resident_bytes)
        return {
            "pool_bytes": resident,
            "arena_bytes": resident,
            "copy_bytes": "0",
            "host_bytes": str(buffers.host_resident_bytes),
            "and_copies": "",
        }
    return {
        "pool_bytes": str(buffers.pool_bytes),
        "arena_bytes": str(buffers.arena_bytes),
        "copy_bytes": str(buffers.copy_bytes),
        "host_bytes": str(buffers.host_bytes),
        "and_copies": " and a variant's copy in front of it" if buffers.copy_bytes else "",
    }


def _interface(
    manifest: Manifest, inputs: Sequence[str], outputs: Sequence[str], prefix: str
) -> dict[str, str]:
    """Return the structures of pointers, and how long what they point at is."""
    shapes = [each.shape for each in manifest.inputs] + [each.shape for each in manifest.outputs]
    counts = [
        (name, int(np.prod(shape))) for name, shape in zip((*inputs, *outputs), shapes, strict=True)
    ]
    return {
        "elements_constants": "".join(
            f"constexpr std::size_t k{constant(name)}Elements = {count};\n"
            for name, count in counts
        ),
        "elements_macros": "\n".join(
            f"#define {prefix}_{name.upper()}_ELEMENTS {count}" for name, count in counts
        ),
        "input_fields": "".join(
            f"  const {_c_type(spec)}* {name};  /* {_shape(spec)}, {_input_meaning(spec)} */\n"
            for name, spec in zip(inputs, manifest.inputs, strict=True)
        ),
        "output_fields": "".join(
            f"  float* {name};  /* {_shape(spec)}, {spec.kind} */\n"
            for name, spec in zip(outputs, manifest.outputs, strict=True)
        ),
        "input_rows": "".join(
            f"    {{{_quoted(spec.name)}, InputKind::k{spec.kind.capitalize()}, "
            f"{int(np.prod(spec.shape))}}},\n"
            for spec in manifest.inputs
        ),
        "output_rows": "".join(
            f"    {{{_quoted(spec.name)}, OutputKind::k{spec.kind.capitalize()}, "
            f"{int(np.prod(spec.shape))}}},\n"
            for spec in manifest.outputs
        ),
    }


def _c_type(spec: InputSpec) -> str:
    return "uint8_t" if spec.kind == "image" else "float"


def _shape(spec: InputSpec | OutputSpec) -> str:
    return f"[{', '.join(map(str, spec.shape))}]"


def _input_meaning(spec: InputSpec) -> str:
    return "raw pixels 0 .. 255, NHWC" if spec.kind == "image" else "real values"


def _labels(manifest: Manifest, outputs: Sequence[str], name: str) -> dict[str, str]:
    labeled = [
        (f"{name}_{output}_labels", spec.labels)
        for output, spec in zip(outputs, manifest.outputs, strict=True)
        if spec.labels
    ]
    return {
        "labels_declarations": "".join(
            f"\nextern const char* const {array}[{len(labels)}];\n" for array, labels in labeled
        ),
        "labels_definitions": "".join(
            f"\nconst char* const {array}[{len(labels)}] = {{\n"
            + "".join(f"    {_quoted(label)},\n" for label in labels)
            + "};\n"
            for array, labels in labeled
        ),
    }


def _tables(firmware: Firmware) -> dict[str, str]:
    manifest, profile = firmware.manifest, firmware.profile
    specs, rows, measured = "", "", ""
    for index, placed in enumerate(firmware.flash.placed):
        variant = placed.variant
        order = manifest.score.order(variant.score)
        specs += _specs(f"kInputs{index}", variant.inputs)
        specs += _specs(f"kOutputs{index}", variant.outputs)
        rows += _variant_row(placed, firmware.arenas[variant.name], order, index)
        latency = profile and profile.latencies[variant.name]
        numbers = (latency.p50_us, latency.p90_us, latency.switch_us or 0) if latency else (1, 1, 0)
        measured += f"    {{{order}, {', '.join(map(str, numbers))}}},  // {variant.name}\n"
    device = str(profile.device.get("name", "a device without a name")) if profile else ""
    return {
        "tensor_specs": specs,
        "variant_rows": rows,
        "measured_rows": measured,
        "is_measured": str(profile is not None).lower(),
        # A comment ends at a line's end, and names have none.
        "measured_comment": f"on {device!a}" if profile else "none, so Measure fills it",
    }


def _memory_row(firmware: Firmware, placed: Placed) -> str:
    name, runs = placed.variant.name, "in place" if placed.in_place else "copied"
    return f"| {name} | {runs} | {firmware.arenas[name]} | {placed.ram_bytes} |\n"


def _specs(name: str, specs: Sequence[TensorSpec]) -> str:
    rows = ", ".join(
        # Nine digits tell every float32 from its neighbours.
        f"{{{spec.position}, DType::{_DTYPES[spec.dtype]}, {spec.scale:#.9g}f, {spec.zero_point}}}"
        for spec in specs
    )
    return f"constexpr tfelastic::TensorSpec {name}[] = {{{rows}}};\n"


def _variant_row(placed: Placed, arena_bytes: int, score_order: int, index: int) -> str:
    numbers = (placed.offset, placed.stored_bytes, len(placed.model), arena_bytes, score_order)
    return (
        f'    {{"{placed.variant.name}", {str(placed.in_place).lower()}, '
        f"{', '.join(map(str, numbers))}, kInputs{index}, kOutputs{index}}},\n"
    )


def _operators(registrations: Sequence[Registration]) -> dict[str, str]:
    headers = sorted({each.int8_header for each in registrations if each.int8_header})
    return {
        "operator_count": str(len(registrations)),
        "operators": "".join(
            f"  if (resolver->{each.adder}({_argument(each)}) != tfelastic::tflm::kOk) {{\n"
            "    return tfelastic::tflm::kError;\n  }\n"
            for each in registrations
        ),
        "kernel_includes": "".join(
            f'#include "tensorflow/lite/micro/kernels/{header}.h"\n' for header in headers
        ),
    }


def _argument(registration: Registration) -> str:
    return (
        f"tfelastic::tflm::Register_{registration.operator}_INT8()"
        if registration.int8_header
        else ""
    )


def _starter(
    manifest: Manifest, inputs: Sequence[str], outputs: Sequence[str], name: str
) -> dict[str, str]:
    """Return what the example declares for the inputs and outputs, and prints of the outputs.

    A tensor may have the name of a function of the C library, such as `index`; the example's arrays end in `_data`.
    """
    prints = ""
    for output, spec in zip(outputs, manifest.outputs, strict=True):
        largest = f"tfelastic::Largest({output}_data, {name}::k{constant(output)}Elements)"
        if int(np.prod(spec.shape)) < 2:
            continue
        if spec.labels and len(spec.labels) == int(np.prod(spec.shape)):
            prints += f"  Print({name}_{output}_labels[{largest}]);\n"
        else:
            prints += (
                f'  std::snprintf(line, sizeof(line), "{output}: the largest at %u",\n'
                f"                static_cast<unsigned>({largest}));\n  Print(line);\n"
            )
    return {
        "input_buffers": "".join(
            f"{'std::uint8_t' if spec.kind == 'image' else 'float'} {each}_data[{name}::k{constant(each)}Elements];"
            f"  // {'Zeros: a black image.' if spec.kind == 'image' else 'Zeros.'}\n"
            for each, spec in zip(inputs, manifest.inputs, strict=True)
        ),
        "output_buffers": "".join(
            f"float {each}_data[{name}::k{constant(each)}Elements];\n" for each in outputs
        ),
        "output_prints": prints,
    }


def _quoted(text: str) -> str:
    """Return a C string: UTF-8, what is no plain ASCII as octal escapes, which end after three digits."""
    plain = (
        chr(byte) if 32 <= byte < 127 and byte not in b'"\\?' else f"\\{byte:03o}"
        for byte in text.encode()
    )
    return f'"{"".join(plain)}"'


def _data(data: bytes) -> Iterator[str]:
    for at in range(0, len(data), BYTES_IN_A_LINE):
        yield f"    {','.join(map(str, data[at : at + BYTES_IN_A_LINE]))},\n"


def header_folder() -> Path:
    """Return where the C++ runtime's headers are: in a checkout, or as they were installed."""
    checkout = _CHECKOUT / "runtime" / "cpp" / "include" / "tfelastic"
    installed = Path(sysconfig.get_path("data")) / "include" / "tfelastic"
    for folder in (checkout, installed):
        if (folder / HEADERS[0]).is_file():
            return folder
    raise PackError(
        f"the C++ runtime's headers are neither in {checkout} nor in {installed}: install tfelastic anew"
    )


def _license() -> str:
    """Return the license of what is written, from a checkout or from the installed distribution."""
    checkout = _CHECKOUT / "LICENSE"
    if checkout.is_file():
        return checkout.read_text("utf-8")
    for file in importlib.metadata.files("tfelastic") or ():
        if file.name == "LICENSE":
            return file.read_text("utf-8")
    raise PackError("the file LICENSE of tfelastic is not installed: install tfelastic anew")
