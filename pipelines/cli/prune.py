"""`tfelastic prune`: a smaller model under a budget."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipelines.cli import model_file
from pipelines.workspace import write_atomically

if TYPE_CHECKING:
    import tfelastic as te

_COUNTED = {
    "params": "parameters",
    "macs": "MACs",
    "peak_bytes": "bytes of int8 activations at the peak",
}
_RESOURCES = ("params", "macs", "peak_bytes", "tflite_bytes")


class _Limit(click.ParamType):
    """`macs=0.5` or `params=100000`."""

    name = "RESOURCE=AMOUNT"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, float]:
        resource, equals, amount = str(value).partition("=")
        if not equals or resource not in _RESOURCES:
            self.fail(f"{value!r}: expected one of {', '.join(_RESOURCES)}, then = and an amount")
        try:
            return resource, float(amount)
        except ValueError:
            self.fail(f"{value!r}: {amount!r} is no number")


@click.command()
@click.argument("model", metavar="MODEL.keras")
@click.option("-o", "--output", required=True, metavar="OUT.keras", help="Where to write.")
@click.option(
    "--budget",
    "limits",
    type=_Limit(),
    multiple=True,
    help="What the result may spend: params, macs, peak_bytes or tflite_bytes, as a share of the "
    "whole (macs=0.5) or an amount (params=100000). Several may be given; all hold.",
)
@click.option("--strategy", default="global", show_default=True, help="global or uniform.")
@click.option("--criterion", default="magnitude", show_default=True, help="What ranks channels.")
@click.option("--round-to", default=8, show_default=True, help="Channel counts' multiple.")
@click.option("--floor", default=0.0, show_default=True, help="Share of a group that stays.")
@click.option("--protect", multiple=True, metavar="LAYER", help="Keep this layer's channels.")
@click.option("--plan", "plan_path", metavar="PLAN.json", help="Carry out this plan instead.")
@click.option("--save-plan", metavar="PLAN.json", help="Write the plan here as well.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def command(
    model: str,
    output: str,
    limits: tuple[tuple[str, float], ...],
    plan_path: str | None,
    save_plan: str | None,
    as_json: bool,
    **options: Any,
) -> None:
    r"""Prune the channels of MODEL.keras until it fits a budget.

    \b
    tfelastic prune net.keras -o half.keras --budget macs=0.5
    tfelastic prune net.keras -o small.keras --budget params=100000 --budget peak_bytes=0.5
    """
    if bool(limits) == bool(plan_path):
        raise click.UsageError("give either --budget or --plan")
    loaded = model_file.load(model)
    import tfelastic as te

    graph = te.trace(loaded)
    shares: dict[str, Any] = dict(limits)
    budget = te.Budget(**shares) if limits else None
    plan = te.plan(graph, budget=budget, **options) if budget else _read_plan(str(plan_path))
    pruned = te.prune(loaded, plan)
    model_file.save(pruned, output)
    if save_plan:
        write_atomically(Path(save_plan), json.dumps(plan.to_json(), indent=1).encode())
    report = _report(graph, plan, budget)
    click.echo(json.dumps(report, indent=2) if as_json else _told(report, output))


def _read_plan(path: str) -> "te.KeepPlan":
    import tfelastic as te

    try:
        return te.KeepPlan.from_json(json.loads(Path(path).read_text(encoding="utf-8")))
    except OSError as cause:
        raise click.UsageError(f"cannot read the plan {path}: {cause.strerror}") from cause
    except json.JSONDecodeError as cause:
        raise click.UsageError(f"the plan {path} is not JSON: {cause}") from cause


def _report(
    graph: "te.LayerGraph", plan: "te.KeepPlan", budget: "te.Budget | None"
) -> dict[str, Any]:
    import tfelastic as te

    before, after = te.cost(graph), te.cost(graph, plan)
    return {
        "model": graph.model.name,
        "before": {name: getattr(before, name) for name in _COUNTED},
        "after": {name: getattr(after, name) for name in _COUNTED},
        "groups": {
            group.name: {
                "kept": len(plan.keep.get(group.name, range(group.size))),
                "of": group.size,
            }
            for group in graph.groups
        },
        "frozen": {group.name: list(group.frozen) for group in graph.groups if group.frozen},
        "budget": te.spending(graph, plan, budget).to_json() if budget else None,
    }


def _told(report: dict[str, Any], output: str) -> str:
    lines = [
        f"{report['before'][name]:>15,} -> {report['after'][name]:>13,}  "
        f"{report['after'][name] / max(report['before'][name], 1):6.1%}  {unit}"
        for name, unit in _COUNTED.items()
    ]
    if budget := report["budget"]:
        lines.append(f"the budget of {budget['binding']} binds, {budget['gap']:.1%} of it is left")
    pruned = [f"{name} {n['kept']}/{n['of']}" for name, n in report["groups"].items()]
    return "\n".join([*lines, "kept: " + ", ".join(pruned), f"written: {output}"])
