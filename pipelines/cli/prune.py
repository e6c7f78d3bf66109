"""`tfelastic prune`: a smaller model under a budget."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipelines.cli import comparison, model_file, prune_blocks
from pipelines.cli.prune_data import DATA_DRIVEN, data_driven

if TYPE_CHECKING:
    import keras

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
@click.option("-o", "--output", metavar="OUT.keras", help="Where to write.")
@click.option(
    "--budget",
    "limits",
    type=_Limit(),
    multiple=True,
    help="What the result may spend: params, macs, peak_bytes or tflite_bytes, as a share of the "
    "whole (macs=0.5) or an amount (params=100000). Several may be given; all hold.",
)
@click.option(
    "--strategy",
    default="global",
    show_default=True,
    help="global, uniform, complexity or blocks.",
)
@click.option("--data", metavar="SOURCE", help="Of blocks and of criteria: the images to judge by.")
@click.option("--fine-tune-epochs", "epochs", default=0, help="Of blocks: after each step.")
@click.option(
    "--checkpoint", metavar="DIR", help="Of blocks: go on from there if cut short; kept until then."
)
@click.option(
    "--criterion",
    help="What ranks channels: magnitude (the default), l1, l2, batch_norm, geometric_median or random; with "
    "--data also activation, taylor or hessian.",
)
@click.option(
    "--mode",
    type=click.Choice(comparison.MODES),
    help="Of complexity: what it is.  [default: params]",
)
@click.option(
    "--sampling",
    type=click.Choice(("weighted", "largest")),
    help="Of complexity: how groups are drawn by their share.  [default: weighted]",
)
@click.option("--seed", type=int, help="Of complexity: settles what is drawn.  [default: 0]")
@click.option(
    "--compare", is_flag=True, help="Of complexity: tabulate and draw what each mode would leave."
)
@click.option("--measure", is_flag=True, help="With --compare: time every model here, in float32.")
@click.option("--round-to", default=8, show_default=True, help="Channel counts' multiple.")
@click.option("--floor", default=0.0, show_default=True, help="Share of a group that stays.")
@click.option("--protect", multiple=True, metavar="LAYER", help="Keep this layer's channels.")
@click.option("--plan", "plan_path", metavar="PLAN.json", help="Carry out this plan instead.")
@click.option("--save-plan", metavar="PLAN.json", help="Write the plan here as well.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def command(model: str, as_json: bool, **options: Any) -> None:
    """Prune the channels of MODEL.keras, or remove its blocks, until it fits a budget.

    \b
    tfelastic prune net.keras -o half.keras --budget macs=0.5
    tfelastic prune net.keras -o small.keras --budget params=100000 --budget peak_bytes=0.5
    tfelastic prune net.keras -o lean.keras --budget macs=0.5 --strategy complexity --mode peak
    tfelastic prune net.keras -o shallow.keras --budget params=0.4 --strategy blocks --data cifar10
    tfelastic prune net.keras --strategy complexity --compare [-o PICTURE.svg] [--measure]
    """  # noqa: D301 - click knows a paragraph to leave alone by the character.
    request = _Request(**options)
    request.check()
    if request.compare:
        _compare(model, request, as_json)
        return
    output = str(request.output)
    model_file.check_output(output)
    loaded = model_file.load_single(model)
    import tfelastic as te

    graph = te.trace(loaded)
    budget = request.budget()
    found = None
    if request.data and budget and request.strategy == "blocks":
        found = prune_blocks.search(
            loaded,
            budget,
            data=request.data,
            epochs=request.epochs,
            checkpoint=request.checkpoint,
        )
        plan, pruned = found.report.plan, found.report.model
    elif budget:
        options = request.kept() | {"criterion": request.ranking(loaded)}
        plan = te.plan(graph, budget=budget, strategy=request.planner(), **options)
        pruned = te.prune(loaded, plan)
    else:
        plan = _read_plan(str(request.plan_path))
        pruned = te.prune(loaded, plan)
    model_file.save(pruned, output)
    if request.save_plan:
        from tfelastic.files import write_atomically

        write_atomically(Path(request.save_plan), json.dumps(plan.to_json(), indent=1).encode())
    report = _report(graph, plan, budget) | (found.to_json() if found else {})
    told = f"{found}\n{_told(report, output)}" if found else _told(report, output)
    click.echo(json.dumps(report, indent=2) if as_json else told)


def _compare(model: str, request: "_Request", as_json: bool) -> None:
    picture = comparison.picture_path(request.output, model)
    loaded = model_file.load_single(model)
    import tfelastic as te

    options = request.kept()
    del options["criterion"]
    report = comparison.compare(
        te.trace(loaded),
        request.budget() or te.Budget(macs=0.5),
        drawing=request.drawing(),
        measure=request.measure,
        options=options,
    )
    comparison.write_picture(report, picture)
    if as_json:
        click.echo(json.dumps({**report, "picture": str(picture)}, indent=2))
    else:
        comparison.print_table(report, picture)


@dataclass(frozen=True)
class _Request:
    """What the user asks for, MODEL.keras and the form of the answer aside."""

    output: str | None
    limits: tuple[tuple[str, float], ...]
    strategy: str
    data: str | None
    epochs: int
    checkpoint: str | None
    criterion: str | None
    mode: str | None
    sampling: str | None
    seed: int | None
    compare: bool
    measure: bool
    round_to: int
    floor: float
    protect: tuple[str, ...]
    plan_path: str | None
    save_plan: str | None

    def check(self) -> None:
        """Refuse options that contradict each other.

        Raises:
            click.UsageError: They do.
        """
        complexity = {"--mode": self.mode, "--sampling": self.sampling, "--seed": self.seed}
        given = [name for name, value in complexity.items() if value is not None]
        given += ["--compare"] if self.compare else []
        if given and self.strategy != "complexity":
            raise click.UsageError(f"{', '.join(given)}: only with --strategy complexity")
        if self.measure and not self.compare:
            raise click.UsageError("--measure: only with --compare")
        if (self.strategy == "blocks" or self.criterion in DATA_DRIVEN) != bool(self.data):
            raise click.UsageError(
                f"--strategy blocks and --criterion {', '.join(DATA_DRIVEN)} need --data, and nothing else does"
            )
        if (self.checkpoint or self.epochs) and self.strategy != "blocks":
            raise click.UsageError("--checkpoint, --fine-tune-epochs: only with --strategy blocks")
        if self.compare:
            alone = {"--mode": self.mode, "--criterion": self.criterion, "--plan": self.plan_path}
            alone["--save-plan"] = self.save_plan
            if unfit := [name for name, value in alone.items() if value is not None]:
                raise click.UsageError(
                    f"{', '.join(unfit)}: not with --compare, which tries every mode and prunes nothing"
                )
        elif self.output is None:
            raise click.UsageError("give -o OUT.keras, where to write the pruned model")
        elif bool(self.limits) == bool(self.plan_path):
            raise click.UsageError("give either --budget or --plan")

    def budget(self) -> "te.Budget | None":
        """Return the budget; `None` where there is none."""
        import tfelastic as te

        shares: dict[str, Any] = dict(self.limits)
        return te.Budget(**shares) if shares else None

    def planner(self) -> "str | te.Strategy":
        """Return the strategy, with its options."""
        import tfelastic as te

        if self.strategy != "complexity":
            return self.strategy
        mode: dict[str, Any] = {} if self.mode is None else {"mode": self.mode}
        return te.Complexity(**mode, **self.drawing())

    def ranking(self, model: "keras.Model") -> "str | te.criteria.Criterion | None":
        """Return what ranks channels, made with its images where it needs some."""
        if self.criterion not in DATA_DRIVEN or self.data is None:
            return self.criterion
        return data_driven(self.criterion, model, self.data)

    def drawing(self) -> dict[str, Any]:
        """Return how complexity draws, as far as the user says."""
        given = {"sampling": self.sampling, "seed": self.seed}
        return {name: value for name, value in given.items() if value is not None}

    def kept(self) -> dict[str, Any]:
        """Return the options that say what is kept, as `tfelastic.plan` takes them."""
        names = ("criterion", "round_to", "floor", "protect")
        return {name: getattr(self, name) for name in names}


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
