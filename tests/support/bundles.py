"""Random bundles: any interface, variant and profile that the format allows, over payloads of any bytes."""

import hashlib

import numpy as np
from hypothesis import strategies as st
from tfelastic_runtime import (
    InputSpec,
    Latency,
    Manifest,
    OutputSpec,
    Profile,
    ScoreSpec,
    Stored,
    TensorSpec,
    VariantInfo,
    VariantPlan,
)
from tfelastic_runtime.interface import OUTPUT_KINDS, UNSCALED, ZERO_POINTS

from tflite_export.bundle.deduplication import Payload, deduplicate
from tflite_export.bundle.interface import Interface


def texts(longest: int) -> st.SearchStrategy[str]:
    """Draw texts without control characters."""
    plain = st.characters(codec="utf-8", exclude_categories=("Cc", "Cs"))
    return st.text(plain, min_size=1, max_size=longest)


COUNTS = st.integers(0, 2**53 - 1)
# A zero has no sign.
SCORES = st.floats(allow_nan=False, allow_infinity=False).map(lambda score: score + 0.0)
LATENCIES = st.tuples(st.integers(1, 2**31 - 1), st.integers(1, 2**31 - 1)).map(
    lambda pair: Latency(min(pair), max(pair), 200)
)
PLANS = st.builds(
    VariantPlan,
    st.dictionaries(texts(9), st.integers(1, 2**53 - 1), max_size=3),
    st.lists(texts(9), max_size=2).map(tuple),
)


@st.composite
def interfaces(draw: st.DrawFn) -> Interface:
    """Draw inputs, outputs and a score."""
    shapes = st.lists(st.integers(1, 9), max_size=4).map(lambda sizes: (1, *sizes))
    images = st.tuples(*[st.integers(1, 65535)] * 2, st.integers(1, 4)).filter(
        lambda sizes: np.prod(sizes, dtype=object) < 2**31
    )
    names = st.lists(texts(64), min_size=1, max_size=4, unique=True)
    inputs = [
        InputSpec(name, (1, *draw(images)), "image")
        if draw(st.booleans())
        else InputSpec(name, draw(shapes))
        for name in draw(names)
    ]
    outputs = []
    for name in draw(names):
        shape, kind = draw(shapes), draw(st.sampled_from(OUTPUT_KINDS))
        labels = draw(st.none() | st.tuples(*[texts(9)] * shape[-1]))
        outputs.append(OutputSpec(name, shape, kind, labels))
    score = ScoreSpec(draw(texts(20)), higher_is_better=draw(st.booleans()))
    return Interface(tuple(inputs), tuple(outputs), score)


@st.composite
def tensors(draw: st.DrawFn, count: int) -> tuple[TensorSpec, ...]:
    """Draw a way to store so many inputs or outputs."""
    found = []
    for position in draw(st.permutations(range(count))):
        dtype = draw(st.sampled_from(list(ZERO_POINTS)))
        scale = 1.0 if dtype in UNSCALED else draw(st.floats(2.0**-126, 2.0**127, width=32))
        zero_point = draw(st.integers(*ZERO_POINTS[dtype]))
        found.append(TensorSpec(position, dtype, scale, zero_point))
    return tuple(found)


@st.composite
def related(draw: st.DrawFn) -> list[bytes]:
    """Draw files with long byte ranges in common, in one order or another."""
    pieces = draw(st.lists(st.binary(min_size=1, max_size=40), min_size=1, max_size=4))
    files = st.lists(st.sampled_from(pieces), min_size=1, max_size=8).map(b"".join)
    return draw(st.lists(files, min_size=1, max_size=4))


@st.composite
def variants(
    draw: st.DrawFn, name: str, width: float, model: bytes, stored: Stored, interface: Interface
) -> VariantInfo:
    """Draw the record of one file."""
    return VariantInfo(
        name=name,
        width=width,
        plan=draw(st.none() | PLANS),
        scheme=draw(texts(32)),
        params=draw(COUNTS),
        macs=draw(COUNTS),
        peak_bytes=draw(st.none() | COUNTS),
        arena_bytes=draw(st.none() | COUNTS),
        score=draw(SCORES),
        metrics=draw(st.dictionaries(texts(9), SCORES, max_size=2)),
        bytes=len(model),
        sha256=hashlib.sha256(model).hexdigest(),
        stored=stored,
        inputs=draw(tensors(len(interface.inputs))),
        outputs=draw(tensors(len(interface.outputs))),
    )


@st.composite
def bundles(draw: st.DrawFn) -> tuple[Manifest, Payload, list[bytes]]:
    """Draw a manifest, its payload, and the files that it holds, which need not be .tflite files."""
    models, interface = draw(related()), draw(interfaces())
    payload, count = deduplicate(models), len(models)
    widths = draw(st.lists(st.floats(0.01, 1), min_size=count, max_size=count))
    names = [f"v{index}" for index in range(count)]
    records = [
        draw(variants(*each, interface))
        for each in zip(names, sorted(widths, reverse=True), models, payload.stored, strict=True)
    ]
    numbers = st.one_of(texts(5), st.integers(0, 99), st.floats(0, 9), st.booleans())
    profiles = st.builds(
        Profile,
        st.dictionaries(texts(5), numbers, max_size=3),
        st.integers(1, 8),
        st.fixed_dictionaries(dict.fromkeys(names, LATENCIES)),
    )
    manifest = Manifest(
        name=draw(texts(20)),
        producer="tests",
        inputs=interface.inputs,
        outputs=interface.outputs,
        score=interface.score,
        payload_bytes=len(payload.data),
        variants=tuple(records),
        profiles=tuple(draw(st.lists(profiles, max_size=2))),
    )
    return manifest, payload, models
