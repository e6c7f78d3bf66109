"""Firmware of the tests: projects that `embed` writes, a bench that runs them, and what it must print.

The stub of TFLM computes no network, but says which bytes it was given; its clock is the test's own.
"""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tfelastic_runtime import Bundle, InputSpec, Policy, Row, VariantInfo
from tfelastic_runtime.encoding import Encoder, decode

from tflite_export._embed import layout
from tflite_export._embed.identifiers import constant, identifiers
from tflite_export.tflite.schema import read_tables

TESTS = Path(__file__).parents[1] / "tflite_export" / "embed"
STUB = TESTS / "tflm_stub"
STRICT = (
    *("-std=c++17", "-fno-exceptions", "-fno-rtti", "-DTF_LITE_STATIC_MEMORY"),
    *("-Wall", "-Wextra", "-Wshadow", "-Wconversion", "-Wpedantic", "-Werror"),
)
ALLOCATION_US, INVOCATION_US = 1, 3
"""What the bench's clock counts for each number of a network's tensors, at 100 percent."""


CLOCK = (
    "-DTFELASTIC_OWN_CLOCK",
    f"-DALLOCATION_US={ALLOCATION_US}",
    f"-DINVOCATION_US={INVOCATION_US}",
)
ENOUGH_US = 10_000_000


@dataclass(frozen=True)
class Step:
    """One inference of the bench: under which budget, and how slow the device is.

    Attributes:
        budget_us: Microseconds.
        percent: 100 where it is as fast as when it was measured.
    """

    budget_us: int
    percent: int = 100


def value_of(spec: InputSpec) -> np.ndarray:
    """Return what the bench feeds to an input."""
    numbers = np.arange(int(np.prod(spec.shape)))
    if spec.kind == "image":
        return (numbers * 37 % 256).astype(np.uint8).reshape(spec.shape[1:])
    return ((numbers % 17 - 8) * np.float32(0.25)).astype(np.float32).reshape(spec.shape[1:])


def steps_of(bundle: Bundle) -> list[Step]:
    """Return steps that meet every variant: budgets about each one's latency, loads and stalls."""
    latencies = sorted(run for _, run in costs(bundle).values())
    steps = [Step(run + offset) for run in latencies for offset in (-1, 0, 900)]
    steps += [Step(latencies[-1] + 1, percent) for percent in (100, 300, 300, 300, 100, 100)]
    steps += [Step(ENOUGH_US) for _ in range(70)] + [Step(1)]
    return steps


def write_bench(folder: Path, bundle: Bundle, name: str, steps: Sequence[Step]) -> None:
    """Write what the bench's program includes: the network's names, its inputs and the steps."""
    manifest = bundle.manifest
    names = identifiers(
        [each.name for each in manifest.inputs] + [each.name for each in manifest.outputs]
    )
    inputs, outputs = names[: len(manifest.inputs)], names[len(manifest.inputs) :]
    given, wanted = ([f"{each}_data" for each in side] for side in (inputs, outputs))
    lines = [f'#include "{name}.h"', f'#include "{name}_c.h"', f"namespace network = {name};"]
    fill = []
    for each, spec in zip(inputs, manifest.inputs, strict=True):
        kind = "std::uint8_t" if spec.kind == "image" else "float"
        lines.append(f"static {kind} {each}_data[network::k{constant(each)}Elements];")
        formula = (
            "static_cast<std::uint8_t>(i * 37 % 256)"
            if spec.kind == "image"
            else "(static_cast<float>(i % 17) - 8) * 0.25f"
        )
        fill.append(
            f"for (std::size_t i = 0; i < network::k{constant(each)}Elements; ++i) {each}_data[i] = {formula};"
        )
    for each in outputs:
        lines.append(f"static float {each}_data[network::k{constant(each)}Elements];")
    lines += [
        f"static const network::Inputs kGiven = {{{', '.join(given)}}};",
        f"static const network::Outputs kWanted = {{{', '.join(wanted)}}};",
        f"static const float* const kOutputs[] = {{{', '.join(wanted)}}};",
        "static const std::size_t kLengths[] = {"
        + ", ".join(f"network::k{constant(each)}Elements" for each in outputs)
        + "};",
        "struct Step { std::int64_t budget_us; unsigned percent; };",
        "static const Step kSteps[] = {"
        + ", ".join(f"{{{step.budget_us}, {step.percent}}}" for step in steps)
        + "};",
        f"static void Fill() {{ {' '.join(fill)} }}",
    ]
    (folder / "bench.h").write_text("\n".join(lines) + "\n", "utf-8")


def compile_program(
    sources: Sequence[Path], program: Path, *options: str, compiler: str = "g++"
) -> Path:
    """Compile C++ strictly against the stub of TFLM."""
    arguments = [*STRICT, *options, f"-isystem{STUB}", *map(str, sources), "-o", str(program)]
    done = subprocess.run([compiler, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return program


def run_on_host(program: Path) -> list[str]:
    """Run a program and return the lines that it printed."""
    done = subprocess.run([str(program)], capture_output=True, text=True, check=True, timeout=60)
    return done.stdout.splitlines()


def costs(bundle: Bundle, *, resident: bool = False) -> dict[str, tuple[int, int]]:
    """Return what the bench's clock counts for making each variant ready, and for running it."""
    found = {}
    for placed in layout(bundle).placed:
        graph = read_tables(placed.model).Subgraphs(0)
        # A scalar's shape is no array.
        elements = sum(
            int(np.prod(tensor.ShapeAsNumpy())) if tensor.ShapeLength() else 1
            for tensor in map(graph.Tensors, range(graph.TensorsLength()))
        )
        ready = 0 if resident else ALLOCATION_US * elements
        found[placed.variant.name] = (ready, INVOCATION_US * elements)
    return found


def expected_outputs(bundle: Bundle, variant: VariantInfo) -> list[np.ndarray]:
    """Return what the stub's answers mean, as real numbers."""
    manifest, total = bundle.manifest, 0
    for spec, tensor in zip(manifest.inputs, variant.inputs, strict=True):
        given = Encoder(spec, tensor).encode(value_of(spec)).tobytes()
        total += (tensor.position + 1) * sum(given)
    outputs = []
    for output, tensor in zip(manifest.outputs, variant.outputs, strict=True):
        numbers = np.arange(int(np.prod(output.shape)))
        stored = (total + 7 * tensor.position + numbers) % 100
        outputs.append(decode(stored.astype(tensor.dtype).reshape(output.shape), tensor))
    return outputs


def expected_lines(
    bundle: Bundle, steps: Sequence[Step], *, table: Mapping[str, Row] | None = None
) -> list[str]:
    """Return what the bench must print for each step: Python's policy on the same clock."""
    took = costs(bundle)
    variants = bundle.variants
    order = bundle.manifest.score.order
    rows = [
        table[variant.name]
        if table
        else Row(
            order(variant.score),
            took[variant.name][1],
            took[variant.name][1],
            took[variant.name][0],
        )
        for variant in variants
    ]
    policy, current, lines = Policy(rows), None if table else len(rows) - 1, []
    for step in steps:
        choice = policy.choose(step.budget_us)
        variant = variants[choice.index]
        ready, run = took[variant.name]
        switch_us = 0 if choice.index == current else ready
        latency_us = run * step.percent // 100
        current = choice.index
        policy.observe(latency_us)
        met = int(switch_us + latency_us <= step.budget_us)
        words = [
            variant.name,
            latency_us,
            switch_us,
            choice.predicted_us,
            int(choice.feasible),
            met,
        ]
        bits = [
            value.view("<u4").ravel()[[0, -1]]
            for value in (each.astype("<f4") for each in expected_outputs(bundle, variant))
        ]
        words += [f"{number:08x}" for pair in bits for number in pair]
        lines.append(" ".join(map(str, words)))
    return lines
