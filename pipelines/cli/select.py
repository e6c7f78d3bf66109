"""`tfelastic select`: which variant a budget chooses on a measured device, and why not another."""

from typing import TYPE_CHECKING, Any

import click

from pipelines.cli import options
from pipelines.cli.json_output import echo_json
from pipelines.cli.measured_table import MeasuredBundle, measured_bundle

if TYPE_CHECKING:
    from tfelastic_runtime import Choice, Row


@click.command()
@measured_bundle
@click.option(
    "--slowdown",
    default=1.0,
    show_default=True,
    type=options.Number(1 / 16, 64),
    help="How much slower the device is now than when it was measured.",
)
@options.as_json
def command(measured: MeasuredBundle, slowdown: float, as_json: bool) -> None:
    """Explain, row by row, which variant of BUNDLE a latency budget chooses.

    \b
    tfelastic select net.elastic --profile profile.json --budget-ms 5
    tfelastic select net.elastic --device 'Pixel 8' --budget-ms 5 --slowdown 1.8
    """  # noqa: D301 - click knows a paragraph to leave alone by the character.
    import tfelastic_runtime as runtime

    opened, found = measured.bundle, measured.candidates
    names, rows = [each.name for each in found], [each.row for each in found]
    level = round(slowdown * 65536)
    state = runtime.Slowdown(q16=level, mean_q16=level)
    budget_us = measured.budget_us
    choice = runtime.choose(rows, budget_us=budget_us, slowdown=state)
    predicted = state.predict_us(rows)
    reasons = _reasons(names, rows, predicted, choice, budget_us)
    variants = [
        {
            "variant": variant.name,
            "score": variant.score,
            "p50_us": row.p50_us,
            "p90_us": row.p90_us,
            "switch_us": row.switch_us,
            "predicted_us": predicted[index],
            "chosen": index == choice.index,
            "reason": reasons[index],
        }
        for index, (variant, row) in enumerate(zip(opened.variants, rows, strict=True))
    ]
    if as_json:
        answer = {"variant": names[choice.index], "feasible": reasons[choice.index] == _BEST}
        echo_json({"budget_us": budget_us, "slowdown": slowdown, **answer, "variants": variants})
    else:
        _print(variants, opened.manifest.score.metric, budget_us)


_BEST = "chosen: the best score that keeps the budget"


def _reasons(
    names: list[str], rows: "list[Row]", predicted: list[int], choice: "Choice", budget_us: int
) -> list[str]:
    """Return one sentence per row."""
    from tfelastic_runtime import dominated

    never = dominated(rows)
    reasons = []
    for index, predicted_us in enumerate(predicted):
        over_us = predicted_us - budget_us
        if index == choice.index:
            reasons.append(_BEST if over_us <= 0 else "chosen: none keeps the budget, the fastest")
        elif index in never:
            reasons.append(f"never chosen: {names[never[index]]} is as good and as fast")
        elif over_us > 0:
            reasons.append(f"{over_us:,} us over the budget")
        else:
            reasons.append(f"keeps the budget; {names[choice.index]} scores better")
    return reasons


def _print(variants: list[dict[str, Any]], metric: str, budget_us: int) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(title=f"budget {budget_us:,} us")
    table.add_column("variant")
    for title in (metric, "p50 us", "p90 us", "predicted us"):
        table.add_column(escape(title), justify="right")
    table.add_column("why", overflow="fold")
    for each in variants:
        latencies = (f"{each[key]:,}" for key in ("p50_us", "p90_us", "predicted_us"))
        table.add_row(
            escape(each["variant"]),
            f"{each['score']:.4g}",
            *latencies,
            escape(each["reason"]),
            style="bold" if each["chosen"] else None,
        )
    Console(width=None).print(table)
