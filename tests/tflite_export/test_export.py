import dataclasses
import importlib
import json
import subprocess
import sys
from dataclasses import replace
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from keras import layers
from tfelastic_runtime import Bundle, Selector

import tfelastic as te
import tflite_export as tx
from tflite_export._export import export, export_variant
from tflite_export._profile import redundancy
from tflite_export.export_report import ExportReport, VariantReport
from tflite_export.quantize.scheme import SCHEMES
from tflite_export.verification import Verification

NAMES = ("w100", "w050")


@pytest.fixture(scope="module")
def net(build, images) -> te.ElasticModel:
    model = build("residual")
    net = te.ElasticModel(model, te.ladder(model, widths=(1, 0.5)))
    net.recalibrate(images)
    return net


@pytest.fixture(scope="module")
def test_split(net, images) -> SimpleNamespace:
    # The widest rung's own answers, so that its accuracy is 100 %.
    labels = np.asarray(net.cut("w100")(images.astype(np.float32))).argmax(axis=1)
    return SimpleNamespace(images=images, labels=labels)


@pytest.fixture(scope="module")
def tolerance():
    # An untrained net sees many near ties between classes; its logits are held to the usual bounds.
    return dataclasses.replace(SCHEMES["int8"].tolerance, top1_agreement=0.9, score_loss=0.05)


@pytest.fixture(scope="module")
def exported(net, images, test_split, tolerance, tmp_path_factory):
    folder = tmp_path_factory.mktemp("export")
    calls = []
    report = export(
        net,
        folder / "model.elastic",
        samples=images,
        test=test_split,
        labels=list("abcde"),
        tolerance=tolerance,
        progress=lambda *call: calls.append(call),
    )
    return SimpleNamespace(folder=folder, report=report, calls=calls)


@pytest.fixture(scope="module")
def one_by_one(net, images, test_split, tolerance):
    """Each rung's report and file, exported alone."""
    found, widest = [], None
    for name in NAMES:
        report, tflite = export_variant(
            net, name, samples=images, test=test_split, widest=widest, tolerance=tolerance
        )
        widest = widest or tflite
        found.append((report, tflite))
    return found


def test_the_bundle_holds_every_rung_as_it_is_exported_alone(exported, one_by_one):
    bundle = Bundle.open(exported.folder / "model.elastic")
    assert tuple(variant.name for variant in bundle.variants) == NAMES
    assert exported.report.variants == tuple(report for report, _ in one_by_one)
    for report, tflite in one_by_one:
        assert bundle.model(report.name) == tflite
        assert bundle.variant(report.name).score == report.verification.score_tflite
    assert [path.name for path in exported.folder.rglob("*")] == ["model.elastic"]


def test_the_report_tells_each_rungs_true_costs(exported, net):
    for variant in exported.report.variants:
        model = net.cut(variant.name)
        assert variant.params == model.count_params()
        assert variant.macs == te.cost(model).macs
        assert variant.width == net.ladder.rung(variant.name).width
        assert variant.tflite_bytes > variant.verification.count
    wide, narrow = exported.report.variants
    assert wide.sharing is None
    assert len(narrow.sharing.shared) == 4
    assert not narrow.sharing.alone
    assert narrow.macs < wide.macs
    assert narrow.tflite_bytes < wide.tflite_bytes


@pytest.mark.parametrize(
    ("narrow_us", "told"),
    [(97, "1.03x as fast as w100, expected at least 1.10x, and less accurate"), (60, "")],
)
def test_a_variant_that_is_hardly_faster_is_left_out(
    net, images, test_split, tolerance, tmp_path, monkeypatch, narrow_us, told
):
    """The clock is one that each inference moves on by what its variant takes."""
    now_ns = 0
    latencies_us = iter((100, narrow_us))

    def opened(tflite, *, threads):
        latency_us = next(latencies_us)

        def invoke():
            nonlocal now_ns
            now_ns += 1000 * latency_us

        return SimpleNamespace(invoke=invoke)

    clock = SimpleNamespace(perf_counter_ns=lambda: now_ns, monotonic=lambda: now_ns / 1e9)
    monkeypatch.setattr(redundancy, "time", clock)
    monkeypatch.setattr(redundancy, "open_interpreter", opened)
    path = tmp_path / "model.elastic"
    options = {"samples": images, "test": test_split, "tolerance": tolerance, "scheme": "float32"}
    report = export(net, path, **options, keep_all=False)
    assert [variant.name for variant in Bundle.open(path).variants] == ["w100", "w050"][
        : 1 if told else 2
    ]
    assert report.redundant == ({"w050": told} if told else {})
    line = f"w050       left out: {told}; keep_all=True (--keep-all) keeps it"
    assert (line in str(report).splitlines()) == bool(told)


def test_progress_is_told_after_each_variant(exported):
    assert exported.calls == [("w100", 1, 2), ("w050", 2, 2)]


def test_a_report_comes_back_from_json_and_prints_as_a_table(exported):
    data = json.loads(json.dumps(exported.report.to_json()))
    assert ExportReport.from_json(data) == exported.report
    lines = str(exported.report).splitlines()
    assert [line.split()[0] for line in lines[1:3]] == list(NAMES)
    assert "model.elastic" in lines[-1]


def test_a_variant_that_scores_no_better_for_more_macs_is_named(exported):
    wide, narrow = exported.report.variants

    def report(wide_score, narrow_score, *, higher_is_better=True, **changes):
        variants = tuple(
            replace(
                each,
                verification=replace(
                    each.verification, score_tflite=score, higher_is_better=higher_is_better
                ),
            )
            for each, score in ((wide, wide_score), (narrow, narrow_score))
        )
        return replace(exported.report, variants=variants, **changes)

    assert report(0.9, 0.8).dominated == {}
    assert report(0.8, 0.9).dominated == report(0.8, 0.8).dominated == {"w100": "w050"}
    assert report(0.8, 0.9, higher_is_better=False).dominated == {}
    assert report(0.8, 0.9, left_out=("w050",)).dominated == {}
    assert "w100       takes space for nothing" in str(report(0.8, 0.9))
    assert "for nothing" not in str(report(0.9, 0.8))
    same = replace(exported.report, variants=(wide, replace(wide, name="again")))
    assert same.dominated == {"again": "w100"}


def test_the_selector_answers_raw_pixels_as_keras_does(exported, net, images):
    profile = tx.profile(exported.folder / "model.elastic", stop=tx.StoppingRule.after(20))
    keras_choice = np.asarray(net.cut("w100")(images.astype(np.float32))).argmax(axis=1)
    with Selector.open(
        exported.folder / "model.elastic", budget_us=10_000_000, profile=profile.table
    ) as selector:
        results = [selector.run(image) for image in images[:50]]
    best = max(exported.report.variants, key=lambda variant: variant.verification.score_tflite)
    assert {result.variant for result in results} == {best.name} == {"w100"}
    choices = [int(result.output.argmax()) for result in results]
    assert np.mean(np.array(choices) == keras_choice[:50]) >= 0.9


def test_a_kept_report_and_file_pack_as_if_never_interrupted(exported, one_by_one, tmp_path):
    kept = [
        (VariantReport.from_json(json.loads(json.dumps(report.to_json()))), tflite)
        for report, tflite in one_by_one
    ]
    again = tx.write_bundle(
        tmp_path / "model.elastic",
        [report.packable(tflite) for report, tflite in kept],
        name="model",
        interface=tx.interface_of(exported.report.variants[0], labels=list("abcde")),
    )
    assert again.sha256 == exported.report.sha256
    with pytest.raises(tx.ConversionError, match="export the variant again"):
        kept[0][0].packable(kept[1][1])


def test_a_variant_that_strays_fails_the_export_and_leaves_no_bundle(
    net, images, test_split, tolerance, tmp_path
):
    tight = dataclasses.replace(tolerance, max_difference=1e-6)
    with pytest.raises(tx.VerificationError, match=r"'w100'.*largest difference.*samples="):
        export(net, tmp_path / "model.elastic", samples=images, test=test_split, tolerance=tight)
    assert list(tmp_path.iterdir()) == []


def test_one_variant_that_strays_is_reported_and_left_out(
    net, images, test_split, tolerance, tmp_path, monkeypatch
):
    module = importlib.import_module("tflite_export._export")
    right = module.verify

    def verify(model, *given, **options):
        found = right(model, *given, **options)
        if model.count_params() < net.cut("w100").count_params():
            found = dataclasses.replace(
                found, tolerance=dataclasses.replace(found.tolerance, mean_difference=0)
            )
        return found

    monkeypatch.setattr(module, "verify", verify)
    path, asked = (
        tmp_path / "model.elastic",
        {"samples": images, "test": test_split},
    )
    report = export(net, path, tolerance=tolerance, **asked)
    assert report.left_out == ("w050",)
    assert "strays (not in the bundle): mean difference" in str(report)
    assert [variant.name for variant in Bundle.open(path).variants] == ["w100"]
    assert ExportReport.from_json(json.loads(json.dumps(report.to_json()))) == report
    kept = export(net, path, tolerance=tolerance, strays="keep", **asked)
    assert kept.left_out == ()
    assert len(Bundle.open(path).variants) == 2
    with pytest.raises(tx.VerificationError, match="'w050'"):
        export(net, tmp_path / "strict.elastic", tolerance=tolerance, strays="stop", **asked)
    assert not (tmp_path / "strict.elastic").exists()


def test_the_file_verified_is_the_rung_asked_for(net, images, test_split):
    report, tflite = export_variant(net, "w050", samples=images, test=test_split, scheme="float32")
    assert isinstance(report.verification, Verification)
    found = tx.verify(net.cut("w100"), tflite, images, test_split.labels, scheme="float32")
    assert not found.passed


def test_public_names_are_exactly_these():
    assert sorted(tx.__all__, key=str.lower) == sorted(
        [
            "AndroidReport", "AttachedPhone", "PhoneConfigurations", "PhonePace", "attached_phones", "find_adb",
            "PhoneLatencies", "measure_files_on_phone", "draw_profiles", "never_chosen", "profile_ops_on_phone",
            "app", "AppReport", "redundant_variants", "scaling_hint", "Placement", "profile_android", "profile_serial",
            "ArenaEstimate", "ArenaPlan", "estimate_arena", "plan_arena", "with_arena_plan",
            "SCHEMES", "TARGETS", "ArenaReport", "BackendError", "BundleReport", "CalibrationError",
            "Candidate", "Checks", "ConversionError", "ConversionOptions", "DeviceError", "EmbedReport",
            "ExportReport", "Interface", "Loss", "MeasuredLatency", "MeasuredProfile", "Noise", "Outcome",
            "OutputComparison", "PackError", "ProfileError", "QuantizationAware", "Scheme", "SchemeError",
            "SharedKernel", "Sharing", "SimulationError", "SimulationReport", "StoppingRule", "Target",
            "TfliteExportError", "TflmComparison", "Tolerance", "Tuning", "Variant", "VariantReport",
            "Verification", "VerificationError", "add_profiles", "candidates", "capture_stderr", "convert",
            "describe_host", "draw", "embed",
            "export", "export_variant", "get_scheme", "interface_of", "measure_arena", "measure_files",
            "predict", "profile", "profile_host", "profile_ops", "share_kernels", "shared_kernels", "simulate",
            "verify", "write_bundle",
        ],
        key=str.lower,
    )  # fmt: skip
    assert all(hasattr(tx, name) for name in tx.__all__)
    assert callable(tx.convert)
    assert callable(tx.profile)
    assert callable(tx.verify)
    assert callable(tx.export)


def test_every_error_is_the_exporters_and_a_builtin_one():
    errors = [getattr(tx, name) for name in tx.__all__ if name.endswith("Error")]
    for error in set(errors) - {tx.TfliteExportError}:
        assert issubclass(error, tx.TfliteExportError)
        assert issubclass(error, ValueError | RuntimeError)
        assert error.__name__ in (tx.errors.__doc__ or "")


def test_importing_the_exporter_imports_neither_tensorflow_nor_keras():
    script = "import sys, tflite_export; print({'tensorflow', 'keras'} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout == "set()\n"


def _regression() -> tuple[te.ElasticModel, np.ndarray]:
    keras.utils.set_random_seed(0)
    windows = np.random.default_rng(0).normal(size=(120, 12, 3)).astype("float32")
    signal = keras.Input((12, 3))
    x = layers.Conv1D(8, 3, activation="relu")(signal)
    x = layers.Dense(2, name="position")(layers.GlobalAveragePooling1D()(x))
    model = keras.Model(signal, x, name="regression")
    net = te.ElasticModel(model, te.ladder(model, widths=(1, 0.5), round_to=1))
    net.compile(loss="mse")
    return net, windows


def test_every_rung_is_scored_by_the_loss_of_the_network(tmp_path):
    net, windows = _regression()
    test = SimpleNamespace(inputs=windows, targets=np.asarray(net(windows)))
    report = export(net, tmp_path / "net.elastic", samples=windows, test=test, strays="keep")
    for variant in report.variants:
        assert (variant.verification.metric, variant.verification.higher_is_better) == (
            "mae",
            False,
        )
        assert variant.outputs[0].kind == "values"
    manifest = Bundle.open(report.path).manifest
    assert (manifest.score.metric, manifest.score.higher_is_better) == ("mae", False)
    assert "nan" not in str(report)


@pytest.mark.parametrize(
    ("targets", "said"),
    [
        (np.full(120, 3), "a label is 3"),
        (np.zeros((120, 5)), r"labels of shape \[120, 5\]"),
        (np.zeros(7, int), "120 samples and 7 labels"),
    ],
)
def test_test_data_that_do_not_fit_are_refused_before_conversion(
    targets, said, tmp_path, monkeypatch
):
    net, windows = _regression()
    net.compile(loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    monkeypatch.setattr("tflite_export._export.convert", lambda *_, **__: pytest.fail("converted"))
    with pytest.raises(tx.VerificationError, match=said):
        export(
            net,
            tmp_path / "net.elastic",
            samples=windows,
            test=SimpleNamespace(inputs=windows, targets=targets),
        )


def test_names_of_classes_that_do_not_fit_are_refused_before_conversion(tmp_path, monkeypatch):
    net, windows = _regression()
    monkeypatch.setattr("tflite_export._export.convert", lambda *_, **__: pytest.fail("converted"))
    test = SimpleNamespace(inputs=windows, targets=np.zeros(120, int))
    for labels, said in (
        (["a", "b", "c"], "3 labels .* gives 2 values"),
        ({"posture": ["a", "b"]}, "no output 'posture'; there are position"),
    ):
        with pytest.raises(tx.PackError, match=said):
            export(net, tmp_path / "net.elastic", samples=windows, test=test, labels=labels)
