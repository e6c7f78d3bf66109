"""`tfelastic profile`: how long a bundle's variants, or a model's operations, take on a device."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from pipelines.cli import bundle_file, options, profile_operations
from pipelines.cli.profile_tables import Output, bar, finish
from pipelines.cli.supervisor import note_what_is_kept

if TYPE_CHECKING:
    from tflite_export import MeasuredProfile

#: Which options mean something on which kind of device: for bundles, and for models.
_ONLY_ON = {
    "host": ("threads", "xnnpack", "half_width", "limit_s"),
    "android": (
        *("threads", "xnnpack", "benchmark_model", "serials", "cpu_masks"),
        *("rounds", "seconds", "cool_down_s"),
    ),
    "serial": ("port", "baud", "limit_s"),
}
_ONLY_OF_MODELS = {
    "host": ("threads", "scheme"),
    "android": ("threads", "scheme", "benchmark_model", "serials"),
}
_ONLY_OF_BUNDLES = ("embed", "picture")
_LIMIT_S = {"host": 60.0, "serial": 600.0}


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
    "--scheme", default="int8", show_default=True, help="Quantization of a model's operations."
)
@click.option("--port", metavar="PORT", help="Such as /dev/ttyACM0 or COM3. Serial.")
@click.option(
    "--baud", default=115200, show_default=True, type=click.IntRange(min=1), help="Serial."
)
@click.option(
    "-o",
    "--output",
    metavar="FILE|FOLDER",
    help="Default, beside the bundle: profile.json, for several tables the folder profiles; beside a model: "
    "operations.json.",
)
@click.option("--embed", is_flag=True, help="Put the tables into the bundle as well.")
@click.option("--picture", metavar="FILE", help="Draw score against latency: .svg, .png or .pdf.")
@click.option("--json", "as_json", is_flag=True, help="Print the tables as JSON.")
@click.option("-q", "--quiet", is_flag=True, help="No progress.")
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
        given = {name: options[name] for name in _ONLY_OF_MODELS[on]}
        profile_operations.run(bundle, on, output=output, as_json=as_json, quiet=quiet, **given)
        return
    opened = bundle_file.load(bundle)
    given = {name: options[name] for name in _ONLY_ON[on]}
    if "limit_s" in given and given["limit_s"] is None:
        given["limit_s"] = _LIMIT_S[on]
    tables, failures = _PROFILERS[on](bundle, quiet=quiet, **given)
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


Measured = tuple["list[MeasuredProfile]", list[str]]
"""Tables, and why others are missing."""


def _on_host(
    bundle: str,
    *,
    threads: Sequence[int],
    xnnpack: bool,
    half_width: float,
    limit_s: float,
    quiet: bool,
) -> Measured:
    import tflite_export as tx

    tables = []
    for count in dict.fromkeys(threads):
        with bar(f"{count} thread{'s' if count > 1 else ''}", quiet=quiet) as advance:
            tables.append(
                tx.profile_host(
                    bundle,
                    threads=count,
                    xnnpack=xnnpack,
                    stop=tx.StoppingRule(half_width=half_width, limit_s=limit_s),
                    progress=lambda _, done, total: advance(done / total, f"{done} rounds"),
                )
            )
        _say_what_is_not_known(tables[-1], half_width)
    return tables, []


def _say_what_is_not_known(table: "MeasuredProfile", half_width: float) -> None:
    wide = {
        name: each.half_width
        for name, each in table.latencies.items()
        if each.half_width is None or each.half_width > half_width
    }
    if wide:
        found = ", ".join(
            f"{name} {'unknown' if width is None else f'{width:.1%}'}"
            for name, width in wide.items()
        )
        click.echo(
            f"the time was up before every median was known within {half_width:.1%} ({found}): "
            "quiet the machine, or give it a longer --limit-s",
            err=True,
        )


def _on_android(
    bundle: str,
    *,
    benchmark_model: str,
    serials: Sequence[str],
    threads: Sequence[int],
    cpu_masks: Sequence[str],
    xnnpack: bool,
    rounds: int,
    seconds: float,
    cool_down_s: float,
    quiet: bool,
) -> Measured:
    import tflite_export as tx

    journal = Path(f"{bundle}.measuring")
    kept = f"what was measured is kept in {journal}; the same command resumes"
    note_what_is_kept(kept)
    done_on: dict[str, tuple[int, int]] = {}

    with bar("phones", quiet=quiet) as advance:

        def progress(serial: str, done: int, total: int) -> None:
            done_on[serial] = done, total
            done, total = (sum(each) for each in zip(*done_on.values(), strict=True))
            advance(done / total, f"{done} of {total} measurements, {len(done_on)} phones")

        report = tx.profile_android(
            bundle,
            benchmark_model=benchmark_model,
            serials=serials,
            configurations=tx.PhoneConfigurations(
                threads=tuple(dict.fromkeys(threads)),
                cpu_masks=tuple(dict.fromkeys(cpu_masks)) or (None,),
                xnnpack=xnnpack,
            ),
            pace=tx.PhonePace(rounds=rounds, seconds=seconds, cool_down_s=cool_down_s),
            journal=journal,
            progress=progress,
        )
    failures = list(report.failures.values())
    return list(report.tables), [*failures, *([kept] if failures and journal.exists() else [])]


def _on_serial(bundle: str, *, port: str, baud: int, limit_s: float, quiet: bool) -> Measured:
    import tflite_export as tx

    with bar(port, quiet=quiet) as advance:
        table = tx.profile_serial(
            bundle,
            port=port,
            baud=baud,
            limit_s=limit_s,
            progress=lambda _, done, total: advance(0.5, f"{done} runs"),
        )
    return [table], []


_PROFILERS: dict[str, Callable[..., Measured]] = {
    "host": _on_host,
    "android": _on_android,
    "serial": _on_serial,
}
