"""`tfelastic verify`: whether a bundle is sound, and still computes what its model computes."""

from typing import TYPE_CHECKING, Any

import click

from pipelines.cli import bundle_file, model_file
from pipelines.cli.json_output import echo_json

if TYPE_CHECKING:
    from tfelastic_runtime import Bundle

    from tfelastic.data import Dataset


@click.command()
@click.argument("bundle", metavar="BUNDLE")
@click.option("--data", metavar="SOURCE", help="Measure each variant on these test images as well.")
@click.option(
    "--model",
    metavar="MODEL.keras",
    help="Compare each variant with its rung of this model, on --data.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
def command(bundle: str, data: str | None, model: str | None, as_json: bool) -> None:
    """Check BUNDLE: its checksums, and every variant, expanded and opened in LiteRT.

    Exit code 0 only when all of it holds.

    \b
    tfelastic verify net.elastic
    tfelastic verify net.elastic --data digits --model net.keras
    """  # noqa: D301 - click knows a paragraph to leave alone by the character.
    if model and not data:
        raise click.UsageError("--model is compared on images: give --data as well")
    opened = bundle_file.load(bundle)
    findings = [_finding(opened, variant.name) for variant in opened.variants]
    sound = [finding for finding in findings if finding["problem"] is None]
    if data and sound:
        images = _images(opened, data)
        for finding in sound:
            finding["accuracy_here"] = _accuracy(opened, finding["variant"], images)
        if model:
            _compare(opened, model, images, sound)
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


def _images(bundle: "Bundle", source: str) -> "Dataset":
    from tfelastic import data

    shape = bundle.manifest.inputs[0].shape
    if [spec.kind for spec in bundle.manifest.inputs] != ["image"]:
        raise click.UsageError("--data feeds images, the bundle's network takes something else")
    _, height, width, _ = shape
    if height != width:
        raise click.UsageError(f"--data feeds square images, the bundle takes {height} x {width}")
    return data.load(source, image_size=height)


def _accuracy(bundle: "Bundle", name: str, images: "Dataset") -> float:
    from tflite_export import capture_stderr, predict

    with capture_stderr():
        logits = predict(bundle.model(name), images.test.images)
    return float((logits.argmax(axis=1) == images.test.labels).mean())


def _compare(
    bundle: "Bundle", model: str, images: "Dataset", findings: list[dict[str, Any]]
) -> None:
    """Compare variants with the rungs of their names; a model without rungs has one."""
    from tfelastic import ElasticModel
    from tflite_export import verify

    loaded = model_file.load(model)
    for finding in findings:
        name = finding["variant"]
        if isinstance(loaded, ElasticModel) and name not in loaded.names:
            finding["problem"] = f"{model} has no rung {name!r}; it has {', '.join(loaded.names)}"
            continue
        rung = loaded.cut(name) if isinstance(loaded, ElasticModel) else loaded
        found = verify(
            rung,
            bundle.model(name),
            images.test.images,
            images.test.labels,
            scheme=bundle.variant(name).scheme,
        )
        finding["comparison"] = found.to_json()
        if not found.passed:
            finding["problem"] = f"strays from its Keras model: {'; '.join(found.reasons)}"


def _print(bundle: str, findings: list[dict[str, Any]]) -> None:
    for each in findings:
        told = f"{each['variant']:<12}{each['bytes']:>12,} B  {each['stored']:<8}"
        if "accuracy_here" in each:
            told += f" accuracy {each['accuracy_here']:.2%}, when packed {each['score']:.2%} "
        if (same := each.get("comparison", {}).get("top1_agreement")) is not None:
            told += f" same class as Keras {same:.2%} "
        click.echo(f"{told} {each['problem'] or 'sound'}")
    bad = sum(each["problem"] is not None for each in findings)
    click.echo(f"{bundle}: " + (f"{bad} of {len(findings)} variants failed" if bad else "sound"))
