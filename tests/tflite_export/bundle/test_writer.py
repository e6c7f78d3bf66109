"""Bundles are written as the format says, and whole or not at all; tests/laws holds law 8."""

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
from tfelastic_runtime import (
    Bundle,
    InputSpec,
    Latency,
    Manifest,
    OutputSpec,
    Profile,
)

from tests.support.bundles import bundles
from tflite_export._profile import MeasuredLatency, MeasuredProfile
from tflite_export.bundle import BundleReport, Interface, Variant, write_bundle, writer
from tflite_export.bundle.deduplication import Payload
from tflite_export.bundle.manifest import canonical, describe
from tflite_export.bundle.writer import pack
from tflite_export.errors import PackError
from tflite_export.tflite import strip

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


@patient
@given(bundles())
def test_any_manifest_fits_its_schema(bundle: tuple[Manifest, Payload, list[bytes]]) -> None:
    manifest = bundle[0]
    assert json.loads(canonical(manifest)) == manifest.to_json()
    SCHEMA.validate(manifest.to_json())


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


INTERFACES = CONFORMANCE / "interfaces.elastic"


def test_tensors_are_found_by_their_names(tmp_path: Path) -> None:
    """The files have the image last, and two inputs of one shape."""
    given = Bundle.open(INTERFACES).manifest
    swapped = Interface(given.inputs[::-1], given.outputs[::-1], given.score)
    write_bundle(tmp_path / "model.elastic", unpacked(INTERFACES), name="net", interface=swapped)
    found = Bundle.open(tmp_path / "model.elastic")
    assert [spec.name for spec in found.manifest.inputs] == ["previous", "features", "image"]
    for before, after in zip(given.variants, found.variants, strict=True):
        assert after.inputs == before.inputs[::-1]
        assert after.outputs == before.outputs[::-1]


def test_other_names_are_matched_by_shape_or_told(tmp_path: Path) -> None:
    given, variants = Bundle.open(INTERFACES).manifest, unpacked(INTERFACES)
    inputs = tuple(
        InputSpec(name, spec.shape, spec.kind)
        for name, spec in zip(("a", "b", "c"), given.inputs, strict=True)
    )
    outputs = tuple(
        OutputSpec(f"o{index}", spec.shape, spec.kind) for index, spec in enumerate(given.outputs)
    )
    interface = Interface(inputs, outputs, given.score)
    said = r"variant 'float32': which of its inputs is which is ambiguous.*Pass input_names="
    with pytest.raises(PackError, match=said):
        describe(variants, name="net", interface=interface)
    told = [dataclasses.replace(variant, input_names=("b", "c", "a")) for variant in variants]
    manifest, _ = describe(told, name="net", interface=interface)
    for before, after in zip(given.variants, manifest.variants, strict=True):
        assert [each.position for each in after.inputs] == [2, 0, 1]
        assert after.outputs == before.outputs, "no two outputs have one shape"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"inputs": 1}, "variant 'float32': it has 3 inputs, the interface has 1"),
        ({"outputs": 2}, "variant 'float32': it has 4 outputs, the interface has 2"),
    ],
)
def test_another_interface_is_refused(change: dict[str, int], said: str) -> None:
    given = Bundle.open(INTERFACES).manifest
    sides = {side: getattr(given, side)[: change.get(side)] for side in ("inputs", "outputs")}
    with pytest.raises(PackError, match=said):
        describe(unpacked(INTERFACES), name="net", interface=Interface(**sides))


def test_another_shape_is_refused(variants: list[Variant]) -> None:
    interface = Interface.of_tflite(variants[0].tflite)
    other = dataclasses.replace(interface, inputs=(InputSpec("image", (1, 6, 4, 3), "image"),))
    said = (
        r"'w100': its input 'image' has the shape \[1, 4, 6, 3\], the interface has \[1, 6, 4, 3\]"
    )
    with pytest.raises(PackError, match=said):
        describe(variants, name="net", interface=other)
    with pytest.raises(PackError, match="give labels= or interface="):
        describe(variants, name="net", interface=interface, labels=LABELS)


def test_the_default_interface_is_an_image_classifier_s(variants: list[Variant]) -> None:
    for variant in variants:
        found = Interface.of_tflite(variant.tflite, labels=LABELS)
        assert found.inputs == (InputSpec("image", (1, 4, 6, 3), "image"),)
        assert found.outputs == (OutputSpec("output_0", (1, 3), "logits", LABELS),)
        assert found.score.to_json() == {"metric": "accuracy", "higher_is_better": True}


def test_the_default_interface_of_several_tensors_has_values() -> None:
    model = Bundle.open(INTERFACES).model("int8")
    found = Interface.of_tflite(model)
    assert {spec.name: spec.kind for spec in found.inputs} == dict.fromkeys(
        ("features", "previous", "image"), "values"
    )
    assert {spec.kind for spec in found.outputs} == {"values"}
    with pytest.raises(PackError, match="labels: the network has 4 outputs"):
        Interface.of_tflite(model, labels=LABELS)
    stripped = Interface.of_tflite(strip(model))
    assert [spec.name for spec in stripped.inputs] == ["input_0", "input_1", "input_2"]


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
