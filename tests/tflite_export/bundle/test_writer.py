"""Law 8: read is what was written, equal input gives equal bytes, nothing half-written stays."""

import dataclasses
import hashlib
import json
import stat
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tfelastic_runtime import (
    Bundle,
    BundleError,
    InputSpec,
    Latency,
    Manifest,
    OutputSpec,
    Profile,
    ScoreSpec,
    TensorSpec,
    VariantInfo,
    VariantPlan,
)
from tfelastic_runtime.interface import OUTPUT_KINDS, UNSCALED, ZERO_POINTS

from tflite_export.bundle import BundleReport, Interface, Variant, write_bundle, writer
from tflite_export.bundle.deduplication import Payload, deduplicate
from tflite_export.bundle.manifest import canonical, describe
from tflite_export.bundle.writer import pack
from tflite_export.errors import PackError
from tflite_export.profile import MeasuredLatency, MeasuredProfile

CONFORMANCE = Path(__file__).parents[3] / "runtime" / "conformance"
GOLDEN = CONFORMANCE / "golden.elastic"
LABELS = ("kitten", "Möwe", "犬")
SCHEMA = jsonschema.Draft202012Validator(
    json.loads(Path(writer.__file__).with_name("manifest.schema.json").read_text("utf-8"))
)
# Time per example says how busy the machine is, not whether a law holds.
patient = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])


KEPT = [
    field.name
    for field in dataclasses.fields(Variant)
    if field.name not in ("tflite", "input_names", "output_names")
]
"""What a variant's record has of the variant as it was packed."""


def unpacked(path: Path) -> list[Variant]:
    """Return a bundle's variants, as they would come from an export."""
    bundle = Bundle.open(path)
    return [
        Variant(**{key: getattr(info, key) for key in KEPT}, tflite=bundle.model(info.name))
        for info in bundle.variants
    ]


def interface_of(manifest: Manifest) -> Interface:
    return Interface(manifest.inputs, manifest.outputs, manifest.score)


@pytest.fixture(scope="module")
def variants() -> list[Variant]:
    """The golden bundle's variants."""
    return unpacked(GOLDEN)


@pytest.mark.parametrize("name", ["golden", "shared", "interfaces"])
def test_writes_the_golden_bytes(name: str) -> None:
    """The format cannot change unnoticed: these bytes are checked in."""
    path = CONFORMANCE / f"{name}.elastic"
    given = Bundle.open(path).manifest
    manifest, payload = describe(
        unpacked(path), name=name, interface=interface_of(given), profiles=given.profiles
    )
    manifest = dataclasses.replace(manifest, producer="tfelastic golden")
    assert pack(manifest, payload) == path.read_bytes()


def test_reads_back_what_was_written(variants: list[Variant], tmp_path: Path) -> None:
    report = write_bundle(tmp_path / "model.elastic", variants, name="net", labels=LABELS)
    bundle = Bundle.open(tmp_path / "model.elastic")
    assert bundle.manifest == describe(variants, name="net", labels=LABELS)[0]
    assert bundle.manifest.producer.startswith("tfelastic ")
    for variant, info in zip(variants, bundle.variants, strict=True):
        assert bundle.model(variant.name) == variant.tflite
        for name in KEPT:
            assert getattr(info, name) == getattr(variant, name)
    data = (tmp_path / "model.elastic").read_bytes()
    assert report.bundle_bytes == len(data)
    assert report.sha256 == hashlib.sha256(data).hexdigest()
    assert report.variant_bytes == {variant.name: len(variant.tflite) for variant in variants}


def test_equal_input_gives_equal_bytes(variants: list[Variant], tmp_path: Path) -> None:
    one = write_bundle(tmp_path / "one", variants, name="net", labels=LABELS)
    other = write_bundle(tmp_path / "other", tuple(variants), name="net", labels=list(LABELS))
    whole = [dataclasses.replace(variants[0], width=1), *variants[1:]]
    third = write_bundle(tmp_path / "third", whole, name="net", labels=LABELS)
    assert one.sha256 == other.sha256 == third.sha256


def test_whole_variants_are_aligned(variants: list[Variant], tmp_path: Path) -> None:
    """Nothing is shared by these two, so both lie whole in the file, ready to run in place."""
    noise = np.random.default_rng(0)
    strangers = [
        dataclasses.replace(variant, tflite=variant.tflite + noise.bytes(30_001))
        for variant in variants[:2]
    ]
    write_bundle(tmp_path / "model.elastic", strangers, name="net")
    data = (tmp_path / "model.elastic").read_bytes()
    for variant in strangers:
        assert data.count(variant.tflite) == 1
        assert data.index(variant.tflite) % 16 == 0


def texts(longest: int) -> st.SearchStrategy[str]:
    """Any text without control characters."""
    plain = st.characters(codec="utf-8", exclude_categories=("Cc", "Cs"))
    return st.text(plain, min_size=1, max_size=longest)


LATENCIES = st.tuples(st.integers(1, 2**31 - 1), st.integers(1, 2**31 - 1)).map(
    lambda pair: Latency(min(pair), max(pair), 200)
)
SCORES = st.floats(allow_nan=False, allow_infinity=False)


PLANS = st.builds(
    VariantPlan,
    st.dictionaries(texts(9), st.integers(1, 2**53 - 1), max_size=3),
    st.lists(texts(9), max_size=2).map(tuple),
)


@st.composite
def related(draw: st.DrawFn) -> list[bytes]:
    """Files with long byte ranges in common, in one order or another."""
    pieces = draw(st.lists(st.binary(min_size=1, max_size=40), min_size=1, max_size=4))
    files = st.lists(st.sampled_from(pieces), min_size=1, max_size=8).map(b"".join)
    return draw(st.lists(files, min_size=1, max_size=4))


@st.composite
def interfaces(draw: st.DrawFn) -> Interface:
    """Any interface that the format allows."""
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
    """Any way to store so many inputs or outputs."""
    found = []
    for position in draw(st.permutations(range(count))):
        dtype = draw(st.sampled_from(list(ZERO_POINTS)))
        scale = 1.0 if dtype in UNSCALED else draw(st.floats(2.0**-126, 2.0**127, width=32))
        zero_point = draw(st.integers(*ZERO_POINTS[dtype]))
        found.append(TensorSpec(position, dtype, scale, zero_point))
    return tuple(found)


@st.composite
def bundles(draw: st.DrawFn) -> tuple[Manifest, Payload, list[bytes]]:
    """Any manifest that the format allows, over payloads that need not be .tflite files."""
    models = draw(related())
    payload = deduplicate(models)
    widths = draw(
        st.lists(st.floats(0.01, 1), min_size=len(models), max_size=len(models)).map(
            lambda found: sorted(found, reverse=True)
        )
    )
    interface = draw(interfaces())
    infos = [
        VariantInfo(
            name=f"v{index}",
            width=width,
            plan=draw(st.none() | PLANS),
            scheme=draw(texts(32)),
            params=draw(st.integers(0, 2**53 - 1)),
            macs=draw(st.integers(0, 2**53 - 1)),
            peak_bytes=draw(st.none() | st.integers(0, 2**53 - 1)),
            arena_bytes=draw(st.none() | st.integers(0, 2**53 - 1)),
            score=draw(SCORES),
            metrics=draw(st.dictionaries(texts(9), SCORES, max_size=2)),
            bytes=len(model),
            sha256=hashlib.sha256(model).hexdigest(),
            stored=stored,
            inputs=draw(tensors(len(interface.inputs))),
            outputs=draw(tensors(len(interface.outputs))),
        )
        for index, (model, width, stored) in enumerate(
            zip(models, widths, payload.stored, strict=True)
        )
    ]
    names = [info.name for info in infos]
    profile = st.builds(
        Profile,
        st.dictionaries(texts(5), st.one_of(texts(5), st.integers(0, 99), st.floats(0, 9))),
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
        variants=tuple(infos),
        profiles=tuple(draw(st.lists(profile, max_size=2))),
    )
    return manifest, payload, models


@patient
@given(bundles())
def test_any_bundle_reads_back(bundle: tuple[Manifest, Payload, list[bytes]]) -> None:
    manifest, payload, models = bundle
    found = Bundle.from_bytes(pack(manifest, payload))
    assert found.manifest == manifest
    assert [found.model(info.name) for info in found.variants] == models
    assert json.loads(canonical(manifest)) == manifest.to_json()
    SCHEMA.validate(manifest.to_json())


@patient
@given(bundles(), st.data())
def test_any_damaged_bundle_is_refused(
    bundle: tuple[Manifest, Payload, list[bytes]], data: st.DataObject
) -> None:
    packed = bytearray(pack(*bundle[:2]))
    packed[data.draw(st.integers(0, len(packed) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(BundleError):
        Bundle.from_bytes(bytes(packed))


def test_profiles_travel(variants: list[Variant], tmp_path: Path) -> None:
    """A table that the exporter measured loses only what no device reads."""
    measured = {variant.name: MeasuredLatency.of(range(10, 30)) for variant in variants}
    table = MeasuredProfile({"kind": "bench"}, 2, measured)
    write_bundle(tmp_path / "model.elastic", variants, name="net", profiles=[table.table])
    (found,) = Bundle.open(tmp_path / "model.elastic").manifest.profiles
    kept = {name: each.device for name, each in measured.items()}
    assert found == Profile({"kind": "bench"}, 2, kept)


def changed(variants: list[Variant], **changes: Any) -> list[Variant]:
    return [variants[0], dataclasses.replace(variants[1], **changes), variants[2]]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"name": "w100"}, "names must be unique"),
        ({"name": "../w050"}, r"variant '\.\./w050': name: expected 1 to 32 of"),
        ({"width": 0.1}, "widest first"),
        ({"width": 0.0}, "variant 'w050': width: expected a number"),
        ({"params": -1}, "variant 'w050': params: expected an integer"),
        ({"macs": 2.5}, "variant 'w050': macs: expected an integer"),
        ({"score": float("nan")}, "variant 'w050': score: expected a number"),
        ({"score": float("inf")}, "variant 'w050': score: expected a number"),
        ({"metrics": {"f1": "high"}}, r"variant 'w050': metrics\['f1'\]: expected a number"),
        ({"input_names": ("picture",)}, "variant 'w050': input_names: expected .*image.*picture"),
        ({"scheme": ""}, "variant 'w050': scheme"),
        ({"tflite": b""}, "variant 'w050': not a .tflite file"),
        ({"tflite": b"not a flatbuffer"}, "variant 'w050': not a .tflite file"),
    ],
)
def test_unfit_variant_is_named_and_nothing_is_written(
    variants: list[Variant], changes: dict[str, Any], said: str, tmp_path: Path
) -> None:
    with pytest.raises(PackError, match=said):
        write_bundle(tmp_path / "model.elastic", changed(variants, **changes), name="net")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"name": ""}, "name: expected a text"),
        ({"name": "net", "labels": ["one"]}, "labels: expected one per class, 3, received 1"),
        ({"name": "net", "labels": ["a", "b", "\x1b[1m"]}, r"control characters, received '\\x1b"),
        (
            {"name": "net", "profiles": [Profile({}, 1, {"w1": Latency(1, 1, 1)})]},
            "expected latencies of w100, w050, w025, received 'w1'",
        ),
    ],
)
def test_unfit_options_are_told(
    variants: list[Variant], options: dict[str, Any], said: str, tmp_path: Path
) -> None:
    with pytest.raises(PackError, match=said):
        write_bundle(tmp_path / "model.elastic", variants, **options)


def test_no_variants_are_refused(tmp_path: Path) -> None:
    with pytest.raises(PackError, match="at least one"):
        write_bundle(tmp_path / "model.elastic", [], name="net")


def test_failure_keeps_the_bundle_that_was_there(
    variants: list[Variant], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "model.elastic"
    before = write_bundle(path, variants, name="before")
    honest = writer.pack

    def failing(manifest: Manifest, payload: Payload) -> bytes:
        return honest(manifest, payload)[:-100] + bytes(100)

    monkeypatch.setattr(writer, "pack", failing)
    with pytest.raises(PackError, match="did not read back"):
        write_bundle(path, variants, name="after")
    assert list(tmp_path.iterdir()) == [path]
    assert hashlib.sha256(path.read_bytes()).hexdigest() == before.sha256


def test_replaces_a_bundle_and_a_killed_run_s_leftover(
    variants: list[Variant], tmp_path: Path
) -> None:
    path = tmp_path / "model.elastic"
    path.write_bytes(b"old")
    (tmp_path / ".tmp.model.elastic").write_bytes(b"half")
    write_bundle(path, variants, name="net")
    assert list(tmp_path.iterdir()) == [path]
    assert Bundle.open(path).manifest.name == "net"


def test_file_mode_follows_the_umask(variants: list[Variant], tmp_path: Path) -> None:
    usual = tmp_path / "usual"
    usual.touch()
    write_bundle(tmp_path / "model.elastic", variants, name="net")
    modes = {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert len(modes) == 1


def test_report_reads_well(variants: list[Variant], tmp_path: Path) -> None:
    report = write_bundle(tmp_path / "model.elastic", variants, name="net")
    assert isinstance(report, BundleReport)
    assert json.loads(json.dumps(report.to_json()))["variant_bytes"]["w050"] == 2213
    stored = report.stored_bytes["w050"]
    assert 0 < stored < 2213 / 2
    lines = str(report).splitlines()
    assert lines[0].endswith(f"model.elastic: {report.bundle_bytes:,} bytes")
    assert [line.split()[0] for line in lines[1:]] == ["manifest", "w100", "w050", "w025"]
    assert lines[3].split()[1:] == ["2,213", str(stored), f"{stored / 2213:.1%}"]
