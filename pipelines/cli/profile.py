"""`tfelastic profile`: how long a bundle's variants, or a model's operations, take on a device."""

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

import click
from click.core import ParameterSource

from pipelines.cli import bundle_file, options, profile_operations
from pipelines.cli.profile_operations import (
    OperationsOnAndroid,
    OperationsOnHost,
    OperationsRequest,
)
from pipelines.cli.profile_requests import BundleRequest, OnAndroid, OnHost, OnSerial
from pipelines.cli.profile_tables import Output, finish

#: What is asked of a kind of device: for the variants of a bundle, and for the operations of a model.
_OF_BUNDLES: dict[str, Callable[..., BundleRequest]] = {
    "host": OnHost,
    "android": OnAndroid,
    "serial": OnSerial,
}
_OF_MODELS: dict[str, Callable[..., OperationsRequest]] = {
    "host": OperationsOnHost,
    "android": OperationsOnAndroid,
}
_ONLY_OF_BUNDLES = ("embed", "picture")


def _options_by_kind(requests: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    return {kind: tuple(field.name for field in fields(each)) for kind, each in requests.items()}


_ONLY_ON, _ONLY_OF_MODELS = _options_by_kind(_OF_BUNDLES), _options_by_kind(_OF_MODELS)


@click.command()
@click.argument("bundle", type=options.PATH, metavar="BUNDLE|MODEL.keras")
@click.option(
    "--on", type=click.Choice(list(_ONLY_ON)), default="host", show_default=True, help="Where."
)
@click.option(
    "--threads",
    multiple=True,
    default=(1,),
    show_default=True,
    type=click.IntRange(1, 1024),
    help="Threads of an inference; one table each. Repeatable. Host, android.",
)
@click.option(
    "--xnnpack/--no-xnnpack",
    default=True,
    help="Run XNNPACK's kernels, or LiteRT's own. Host, android.",
)
@click.option(
    "--half-width",
    default=0.02,
    show_default=True,
    type=options.Number(0, 1, min_open=True, max_open=True),
    help="Measure until the 95 % interval of each median is so narrow, as a share of it. Host.",
)
@click.option(
    "--limit-s",
    type=options.Number(min=0, min_open=True),
    help="Seconds after which measuring ends in any case. Host: 60 for each table; serial: 600.",
)
@click.option(
    "--benchmark-model",
    type=options.PATH,
    metavar="FILE",
    help="TensorFlow Lite's or LiteRT's benchmark_model, built for the phones. Android.",
)
@click.option(
    "--serial",
    "serials",
    multiple=True,
    metavar="SERIAL",
    help="A phone, as 'adb devices' names it; default: all. Repeatable. Android.",
)
@click.option(
    "--cpu-mask",
    "cpu_masks",
    multiple=True,
    metavar="HEX|clusters",
    help="Cores to run on, such as f0, or each of the phone's clusters; one table each. Repeatable. Android.",
)
@click.option(
    "--rounds",
    default=6,
    show_default=True,
    type=click.IntRange(min=1),
    help="How often each variant is measured. Android.",
)
@click.option(
    "--seconds",
    default=0.5,
    show_default=True,
    type=options.Number(min=0, min_open=True),
    help="Timed seconds of each measurement, at least. Android.",
)
@click.option(
    "--cool-down-s",
    default=2.0,
    show_default=True,
    type=options.Number(0, 120),
    help="Seconds of rest between two measurements; longer where the phone is warm. Android.",
)
@click.option(
    "--scheme",
    type=options.SCHEME,
    default="int8",
    show_default=True,
    help="How weights and sums of a model's operations are stored.",
)
@click.option(
    "--round-to",
    default=8,
    show_default=True,
    type=click.IntRange(min=1),
    help="What the channels of plans are multiples of: a model's operations are measured at them.",
)
@click.option("--port", metavar="PORT", help="Such as /dev/ttyACM0 or COM3. Serial.")
@click.option(
    "--baud", default=115200, show_default=True, type=click.IntRange(min=1), help="Serial."
)
@click.option(
    "-o",
    "--output",
    type=options.PATH,
    metavar="FILE|FOLDER",
    help="Default, beside the bundle: profile.json, for several tables the folder profiles; beside a model: "
    "operations.json.",
)
@click.option("--embed", is_flag=True, help="Put the tables into the bundle as well.")
@click.option(
    "--picture",
    type=options.PATH,
    metavar="FILE",
    help="Draw score against latency: .svg, .png or .pdf.",
)
@options.as_json
@options.quiet
@click.pass_context
def command(
    ctx: click.Context,
    bundle: str,
    on: str,
    output: str | None,
    embed: bool,
    picture: str | None,
    as_json: bool,
    quiet: bool,
    **options: Any,
) -> None:
    """Measure how long each variant of BUNDLE takes, and write the table that selectors read.

    Of a model the operations are measured, for budgets of latency (te.LatencyTable.load).

    \b
    tfelastic profile net.elastic
    tfelastic profile net.elastic --threads 1 --threads 2 --half-width 0.01 --limit-s 300
    tfelastic profile net.elastic --on android --benchmark-model android_aarch64_benchmark_model
    tfelastic profile net.elastic --on serial --port /dev/ttyACM0 --embed
    tfelastic profile net.keras -o operations.json
    """  # noqa: D301 - click knows a paragraph to leave alone by the character.
    of_model = bundle.endswith(".keras")
    _check_options(ctx, on, _ONLY_OF_MODELS if of_model else _ONLY_ON)
    if of_model:
        request = _OF_MODELS[on](**{name: options[name] for name in _ONLY_OF_MODELS[on]})
        profile_operations.run(bundle, request, output=output, as_json=as_json, quiet=quiet)
        return
    opened = bundle_file.load(bundle)
    asked = _OF_BUNDLES[on](**{name: options[name] for name in _ONLY_ON[on]})
    tables, failures = asked.measure(bundle, quiet=quiet)
    finish(bundle, opened, tables, Output(output, embed, picture, as_json))
    for failure in failures:
        click.echo(f"error: {failure}", err=True)
    if failures:
        raise click.exceptions.Exit(1)


def _check_options(ctx: click.Context, on: str, allowed: dict[str, tuple[str, ...]]) -> None:
    """Refuse options that mean nothing for what is measured, and where."""
    if on not in allowed:
        raise click.UsageError(
            f"a model's operations are measured --on {' or '.join(allowed)}; received --on {on}"
        )
    of_bundles = allowed is _ONLY_ON
    everything = set().union(*_ONLY_ON.values(), *_ONLY_OF_MODELS.values(), _ONLY_OF_BUNDLES)
    here = {*allowed[on], *(_ONLY_OF_BUNDLES if of_bundles else ())}
    for parameter in ctx.command.params:
        name = parameter.name or ""
        given = ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE
        if given and name in everything - here:
            kinds = " or ".join(kind for kind, names in allowed.items() if name in names)
            meant = f"--on {kinds}" if kinds else "models" if of_bundles else "bundles"
            raise click.UsageError(
                f"{parameter.opts[0]} belongs to {meant}, not to "
                + (f"--on {on}" if kinds else "bundles" if of_bundles else "models")
            )
    for kind, name in (("android", "benchmark_model"), ("serial", "port")):
        if on == kind and ctx.params[name] is None:
            option = name.replace("_", "-")
            raise click.UsageError(f"--on {kind} needs --{option}")
