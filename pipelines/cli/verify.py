"""`tfelastic verify`: whether a bundle is sound, and still computes what its model computes."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from pipelines.cli import bundle_file, model_file, options
from pipelines.cli.json_output import echo_json

if TYPE_CHECKING:
    from tfelastic_runtime import Bundle

    from tfelastic import Metric
    from tfelastic.data import Dataset


@click.command()
@click.argument("bundle", type=options.PATH, metavar="BUNDLE")
@click.option(
    "--data",
    type=options.PATH,
    metavar="SOURCE",
    help="Score each variant on these test examples as well.",
)
@click.option(
    "--model",
    type=options.PATH,
    metavar="MODEL.keras",
    help="Compare each variant with its rung of this model, on --data.",
)
@click.option(
    "--seed",
    type=options.SEED,
    default=0,
    show_default=True,
    help="Says which examples of --data test where it has no test split; the one that the model was trained with.",
)
@options.as_json
@options.quiet
def command(
    bundle: str, data: str | None, model: str | None, seed: int, as_json: bool, quiet: bool
) -> None:
    """Check BUNDLE: its checksums, and every variant, expanded and opened in LiteRT.

    Exit code 0 only when all of it holds.

    \b
    tfelastic verify net.elastic
    tfelastic verify net.elastic --data digits --model net.keras
    """  # noqa: D301 - click knows a paragraph to leave alone by the character.
    if model and not data:
        raise click.UsageError("--model is compared on examples: give --data as well")
    opened = bundle_file.load(bundle)
    from pipelines.progress import Reporter

    reporter, count = Reporter(quiet=quiet), len(opened.variants)
    with reporter.stage("opening"), reporter.bar(count, "variants") as advance:
        findings = []
        for number, variant in enumerate(opened.variants, start=1):
            findings.append(_finding(opened, variant.name))
            advance(number, variant.name)
    sound = [finding for finding in findings if finding["problem"] is None]
    if data and sound:
        examples = _examples(opened, data, seed=seed)
        check = _comparison(opened, model, examples) if model else _scoring(opened, examples)
        with reporter.stage("scoring"), reporter.bar(len(sound), "variants") as advance:
            for number, finding in enumerate(sound, start=1):
                check(finding)
                advance(number, finding["variant"])
    passed = all(finding["problem"] is None for finding in findings)
    if as_json:
        echo_json({"bundle": bundle, "passed": passed, "variants": findings})
    else:
        _print(bundle, findings)
    if not passed:
        raise click.exceptions.Exit(1)


def _finding(bundle: "Bundle", name: str) -> dict[str, Any]:
    """Expand a variant, compare its SHA-256, open it, and run it once."""
    from tfelastic_runtime import BundleError, Runner, blank_inputs

    from tflite_export import capture_stderr

    variant, problem = bundle.variant(name), None
    try:
        with capture_stderr():
            Runner(bundle, name).run(blank_inputs(bundle.manifest.inputs))
    except BundleError as cause:
        problem = str(cause)
    return {
        "variant": name,
        "bytes": variant.bytes,
        "stored": variant.stored.form,
        "score": variant.score,
        "problem": problem,
    }


def _examples(bundle: "Bundle", source: str, *, seed: int) -> "Dataset":
    """Load the examples, and check that they are what the bundle's inputs take."""
    from pipelines.stages.data import load_shaped
    from tfelastic.data import arrays_of

    specs = bundle.manifest.inputs
    found = load_shaped([spec.shape[1:] for spec in specs], source, seed=seed)
    arrays = arrays_of(found.test.inputs)
    names = [spec.name for spec in specs] if "" not in arrays else [""]
    expected = ", ".join(f"{spec.name} of {_size(spec.shape[1:])}" for spec in specs)
    if set(names) != set(arrays) or len(names) != len(specs):
        given = ", ".join(filter(None, arrays)) or "a single input"
        raise click.ClickException(
            f"{source} holds examples of {given}; the bundle takes {expected}: name the arrays so"
        )
    for name, spec in zip(names, specs, strict=True):
        if arrays[name].shape[1:] != spec.shape[1:]:
            raise click.ClickException(
                f"{source} holds examples of {_size(arrays[name].shape[1:])}; the bundle takes {expected}: give data "
                "like those that it was exported with"
            )
    return found


def _size(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape)) or "1"


def _metric(bundle: "Bundle") -> "Metric | None":
    """Return the metric whose name the bundle's score has; None where the name does not say all."""
    from tfelastic import metrics

    manifest = bundle.manifest
    name, (first, *others) = manifest.score.metric, manifest.outputs
    threshold = 0.5 if first.kind == "probabilities" else 0.0
    known = {
        "accuracy": metrics.ClassAccuracy(threshold=threshold),
        "pixel_accuracy": metrics.ClassAccuracy("pixel_accuracy", threshold),
        "binary_accuracy": metrics.BinaryAccuracy(threshold=threshold),
        "mean_iou": metrics.MeanIoU(threshold=threshold),
        "mae": metrics.MeanAbsoluteError(),
        "r2": metrics.R2(),
    }
    return None if others else known.get(name)


def _score(bundle: "Bundle", name: str, examples: "Dataset", metric: "Metric") -> float:
    from tfelastic.data import arrays_of
    from tflite_export import capture_stderr, predict

    arrays = arrays_of(examples.test.inputs)
    names = [spec.name for spec in bundle.manifest.inputs] if "" not in arrays else [""]
    with capture_stderr():
        outputs = predict(bundle.model(name), [arrays[each] for each in names])
    return metric.value(examples.test.targets, outputs)


def _scoring(bundle: "Bundle", examples: "Dataset") -> Callable[[dict[str, Any]], None]:
    """Return a function that scores a finding's variant.

    Raises:
        click.UsageError: The name of the bundle's score does not say how to measure it.
    """
    metric = _metric(bundle)
    if metric is None:
        score = bundle.manifest.score.metric
        raise click.UsageError(f"the score {score!r} is measured by the model: give --model too")

    def check(finding: dict[str, Any]) -> None:
        finding["score_here"] = _score(bundle, finding["variant"], examples, metric)

    return check


def _comparison(
    bundle: "Bundle", model: str, examples: "Dataset"
) -> Callable[[dict[str, Any]], None]:
    """Return a function that compares a finding's variant with the rung of its name; a model without rungs has one."""
    from tfelastic import ElasticModel
    from tflite_export import verify

    loaded = model_file.load(model)

    def check(finding: dict[str, Any]) -> None:
        name = finding["variant"]
        if isinstance(loaded, ElasticModel) and name not in loaded.names:
            finding["problem"] = f"{model} has no rung {name!r}; it has {', '.join(loaded.names)}"
            return
        rung = loaded.cut(name) if isinstance(loaded, ElasticModel) else loaded
        found = verify(
            rung,
            bundle.model(name),
            examples.test.inputs,
            examples.test.targets,
            scheme=bundle.variant(name).scheme,
            metric=_metric(bundle),
        )
        finding["score_here"] = found.score_tflite
        finding["comparison"] = found.to_json()
        if not found.passed:
            finding["problem"] = f"strays from its Keras model: {'; '.join(found.reasons)}"

    return check


def _print(bundle: str, findings: list[dict[str, Any]]) -> None:
    for each in findings:
        line = f"{each['variant']:<12}{each['bytes']:>12,} B  {each['stored']:<8}"
        if "score_here" in each:
            line += f" score {each['score_here']:.4g}, when packed {each['score']:.4g} "
        if (same := each.get("comparison", {}).get("top1_agreement")) is not None:
            line += f" same class as Keras {same:.2%} "
        click.echo(f"{line} {each['problem'] or 'sound'}")
    bad = sum(each["problem"] is not None for each in findings)
    click.echo(f"{bundle}: " + (f"{bad} of {len(findings)} variants failed" if bad else "sound"))
