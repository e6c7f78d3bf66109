"""`tfelastic simulate`: the selection policy under a trace of load, beside references."""

from typing import TYPE_CHECKING

import click

from pipelines.cli import options, output_file
from pipelines.cli.json_output import echo_json
from pipelines.cli.measured_table import MeasuredBundle, measured_bundle

if TYPE_CHECKING:
    from tflite_export import SimulationReport


@click.command()
@measured_bundle
@click.option(
    "--trace",
    type=options.PATH,
    required=True,
    metavar="NAME|FILE",
    help="idle, step, ramp, throttle, bursts, or a file with one slowdown a line.",
)
@click.option(
    "--runs",
    default=3000,
    show_default=True,
    type=click.IntRange(1, 1_000_000),
    help="Length of a named trace.",
)
@click.option(
    "--noise",
    default=0.06,
    show_default=True,
    type=options.Number(0, 2),
    help="Spread of a run's latency.",
)
@click.option(
    "--stalls",
    default=0.01,
    show_default=True,
    type=options.SHARE,
    help="Share of runs that stall, 3 to 8 times as long.",
)
@click.option(
    "--seed", default=0, show_default=True, type=options.SEED, help="Seed of trace and noise."
)
@click.option(
    "-o", "--output", type=options.PATH, metavar="PICTURE", help="Draw an .svg, .png or .pdf."
)
@options.as_json
def command(
    measured: MeasuredBundle,
    trace: str,
    runs: int,
    noise: float,
    stalls: float,
    seed: int,
    output: str | None,
    as_json: bool,
) -> None:
    """Simulate which variants of BUNDLE the policy runs under a trace of load.

    Beside it stand every variant on its own, an oracle that knows each run's latency, a chooser that
    knows the slowdown but not the noise, and the Kalman filter of ALERT (USENIX ATC 2020).

    \b
    tfelastic simulate net.elastic --profile profile.json --trace bursts --budget-ms 5
    tfelastic simulate net.elastic --profile profile.json --trace mine.txt --budget-ms 5 -o mine.svg
    """  # noqa: D301 - click knows a paragraph to leave alone by the character.
    if output:
        output_file.check(output, ".svg", ".png", ".pdf")
    import tflite_export as tx

    report = tx.simulate(
        measured.candidates,
        trace,
        budget_us=measured.budget_us,
        runs=runs,
        noise=tx.Noise(noise, stalls),
        seed=seed,
    )
    if output:
        tx.draw(report, output)
    if as_json:
        echo_json(report.to_json())
    else:
        _print(report)


def _print(report: "SimulationReport") -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    title = f"{report.trace}, {len(report.slowdown):,} runs, budget {report.budget_us:,} us"
    table = Table(title=escape(title))
    table.add_column("chooser")
    for column in ("misses", "of the oracle's score", "of knowing the slowdown", "switches"):
        table.add_column(column, justify="right")
    for each in report:
        shares = (
            "-" if share is None else f"{share:.1%}" for share in (each.of_oracle, each.of_knowing)
        )
        table.add_row(
            escape(each.name),
            f"{each.misses:.2%}",
            *shares,
            f"{each.switches:,}",
            style="bold" if each.name == "policy" else None,
        )
    console = Console()
    console.print(table)
    console.print(
        f"Misses: of the {report.kept:.1%} of the runs in which the oracle keeps the budget. "
        "Scores: share of the way from the fastest variant's."
    )
