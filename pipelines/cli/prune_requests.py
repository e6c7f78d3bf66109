"""What `tfelastic prune` may be asked for: one request for each strategy, with the options that it takes."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import click

from pipelines.cli import block_search, mode_comparison, model_file, output_file
from pipelines.cli.budget import Limit, budget_of
from pipelines.cli.criterion_data import DATA_DRIVEN, data_driven
from pipelines.errors import RecordError
from pipelines.records import read_json

if TYPE_CHECKING:
    import keras

    import tfelastic as te
    from pipelines.progress import Reporter

_COUNTED = {
    "params": "parameters",
    "macs": "MACs",
    "peak_bytes": "bytes of int8 activations at the peak",
}
#: Options whose flags are not their names.
_FLAGS = {"limits": "--budget", "epochs": "--fine-tune-epochs"}


class Answer(Protocol):
    """What came of a request, for people and as plain data."""

    def to_json(self) -> dict[str, Any]:
        """Return it as plain data."""


class Request(Protocol):
    """Something that `tfelastic prune` can be asked for."""

    when: ClassVar[str]
    """What asks for it."""
    takes: ClassVar[frozenset[str]]
    """The options that it takes."""

    def carry_out(self, model: str, reporter: "Reporter") -> Answer:
        """Do it for the model file, after all that can be checked is checked."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """Where a pruned model goes, and its plan."""

    output: str
    save_plan: str | None = None

    def check(self) -> None:
        """Make sure that both can be written, before any work is done for them."""
        output_file.check(self.output, model_file.SUFFIX)
        if self.save_plan:
            output_file.check(self.save_plan)

    def write(self, model: "keras.Model", plan: "te.KeepPlan") -> None:
        """Write both."""
        from tfelastic.files import write_atomically

        model_file.save(model, self.output)
        if self.save_plan:
            write_atomically(self.save_plan, json.dumps(plan.to_json(), indent=1))


@dataclass(frozen=True)
class Pruned:
    """What a pruned model keeps and spends."""

    report: dict[str, Any]
    output: str
    search: "block_search.Found | None" = None

    def to_json(self) -> dict[str, Any]:
        """Return the report as plain data."""
        return self.report | (self.search.to_json() if self.search else {})

    def __str__(self) -> str:
        report = self.report
        lines = [str(self.search)] if self.search else []
        lines += [
            f"{report['before'][name]:>15,} -> {report['after'][name]:>13,}  "
            f"{report['after'][name] / max(report['before'][name], 1):6.1%}  {unit}"
            for name, unit in _COUNTED.items()
            if name in report["before"]
        ]
        if budget := report["budget"]:
            lines.append(
                f"the budget of {budget['binding']} binds, {budget['gap']:.1%} of it is left"
            )
        kept = [f"{name} {n['kept']}/{n['of']}" for name, n in report["groups"].items()]
        return "\n".join([*lines, "kept: " + ", ".join(kept), f"written: {self.output}"])


@dataclass(frozen=True, kw_only=True)
class PlanRequest:
    """Carry out a plan that was saved."""

    when: ClassVar[str] = "--plan"
    takes: ClassVar[frozenset[str]] = frozenset({"output", "plan"})

    target: Target
    plan: str

    def carry_out(self, model: str, reporter: "Reporter") -> Pruned:
        """Prune the model by the plan."""
        self.target.check()
        plan = _read_plan(self.plan)
        loaded = model_file.load_single(model)
        return _pruned(loaded, plan, self.target, None)


@dataclass(frozen=True, kw_only=True)
class ChannelRequest:
    """Prune channels that rank lowest, by a strategy of the library."""

    when: ClassVar[str] = "--strategy global or uniform"
    takes: ClassVar[frozenset[str]] = frozenset(
        {"output", "save_plan", "limits", "strategy", "criterion", "data"}
        | {"round_to", "floor", "protect"}
    )

    target: Target
    limits: tuple[Limit, ...]
    strategy: "str | te.Strategy" = "global"
    criterion: str | None = None
    data: str | None = None
    kept: Mapping[str, Any] = field(default_factory=dict)

    def carry_out(self, model: str, reporter: "Reporter") -> Pruned:
        """Plan and prune."""
        self.target.check()
        if (self.criterion in DATA_DRIVEN) != bool(self.data):
            raise click.UsageError(
                f"--strategy blocks and --criterion {', '.join(DATA_DRIVEN)} need --data, and nothing else does"
            )
        loaded = model_file.load_single(model)
        import tfelastic as te

        budget = budget_of(self.limits)
        criterion: Any = self.criterion
        if self.criterion in DATA_DRIVEN and self.data is not None:
            criterion = data_driven(self.criterion, loaded, self.data)
        with reporter.waiting("pruning"):
            plan = te.plan(
                te.trace(loaded),
                budget=budget,
                strategy=self._planner(),
                criterion=criterion,
                **self.kept,
            )
            return _pruned(loaded, plan, self.target, budget)

    def _planner(self) -> "str | te.Strategy":
        return self.strategy


@dataclass(frozen=True, kw_only=True)
class ComplexityRequest(ChannelRequest):
    """Prune the channels of groups drawn by their share of the complexity."""

    when: ClassVar[str] = "--strategy complexity"
    takes: ClassVar[frozenset[str]] = ChannelRequest.takes | {"mode", "sampling", "seed"}

    complexity: Mapping[str, Any] = field(default_factory=dict)

    def _planner(self) -> "te.Strategy":
        import tfelastic as te

        return te.Complexity(**self.complexity)


@dataclass(frozen=True, kw_only=True)
class CompareRequest:
    """Tabulate and draw what each mode of complexity would leave."""

    when: ClassVar[str] = "--compare"
    takes: ClassVar[frozenset[str]] = frozenset(
        {"output", "limits", "strategy", "sampling", "seed", "measure", "compare"}
        | {"round_to", "floor", "protect"}
    )

    picture: str | None
    limits: tuple[Limit, ...]
    measure: bool
    drawing: Mapping[str, Any]
    kept: Mapping[str, Any]

    def carry_out(self, model: str, reporter: "Reporter") -> "mode_comparison.ModeComparison":
        """Compare the modes and draw the picture."""
        picture = mode_comparison.picture_path(self.picture, model)
        loaded = model_file.load_single(model)
        import tfelastic as te

        with reporter.waiting("comparing the modes"):
            found = mode_comparison.compare(
                te.trace(loaded),
                budget_of(self.limits or (("macs", 0.5),)),
                drawing=self.drawing,
                measure=self.measure,
                options=self.kept,
            )
        return mode_comparison.draw_into(found, picture)


@dataclass(frozen=True, kw_only=True)
class BlocksRequest:
    """Remove the blocks that cost least accuracy."""

    when: ClassVar[str] = "--strategy blocks"
    takes: ClassVar[frozenset[str]] = frozenset(
        {"output", "save_plan", "limits", "strategy", "data", "epochs", "checkpoint"}
    )

    target: Target
    limits: tuple[Limit, ...]
    data: str | None
    epochs: int = 0
    checkpoint: str | None = None

    def carry_out(self, model: str, reporter: "Reporter") -> Pruned:
        """Search, on a part of the training images."""
        self.target.check()
        if not self.data:
            raise click.UsageError(
                f"--strategy blocks and --criterion {', '.join(DATA_DRIVEN)} need --data, and nothing else does"
            )
        loaded = model_file.load_single(model)
        budget = budget_of(self.limits)
        found = block_search.search(
            loaded,
            budget,
            data=self.data,
            epochs=self.epochs,
            checkpoint=self.checkpoint,
            reporter=reporter,
        )
        pruned = _pruned(loaded, found.report.plan, self.target, budget, model=found.report.model)
        return Pruned(pruned.report, pruned.output, found)


KINDS: tuple[type[Request], ...] = (
    PlanRequest,
    CompareRequest,
    ComplexityRequest,
    BlocksRequest,
    ChannelRequest,
)


def choose(options: Mapping[str, Any]) -> Request:
    """Return the request that the command line asks for.

    Args:
        options: Every option by name; one that is not given is `None`, False or empty.

    Raises:
        click.UsageError: An option is given that the request does not take, or one is missing.
    """
    given = {name: value for name, value in options.items() if value not in (None, False, ())}
    if "limits" in given and "plan" in given:
        raise click.UsageError("give either --budget or --plan")
    kind = _kind(given)
    for name in sorted(given.keys() - kind.takes - {"strategy"}):
        others = " or ".join(each.when for each in KINDS if name in each.takes)
        others = ComplexityRequest.when if name == "compare" else others
        raise click.UsageError(f"{_flag(name)}: only with {others}, not with {kind.when}")
    limits, kept = given.get("limits", ()), _those(given, "round_to", "floor", "protect")
    drawing = _those(given, "mode", "sampling", "seed")
    if kind is CompareRequest:
        measure = bool(given.get("measure"))
        return CompareRequest(
            picture=given.get("output"), limits=limits, measure=measure, drawing=drawing, kept=kept
        )
    if "output" not in given:
        raise click.UsageError("give -o OUT.keras, where to write the pruned model")
    if not limits and "plan" not in given:
        raise click.UsageError("give either --budget or --plan")
    target = Target(**_those(given, "output", "save_plan"))
    if kind is PlanRequest:
        return PlanRequest(target=target, plan=given["plan"])
    if kind is BlocksRequest:
        search = _those(given, "epochs", "checkpoint")
        return BlocksRequest(target=target, limits=limits, data=given.get("data"), **search)
    common = {"target": target, "limits": limits, "kept": kept}
    common |= _those(given, "strategy", "criterion", "data")
    if kind is ComplexityRequest:
        return ComplexityRequest(**common, complexity=drawing)
    return ChannelRequest(**common)


def _kind(given: Mapping[str, Any]) -> type[Request]:
    strategy = given.get("strategy")
    if "plan" in given and "compare" not in given:
        return PlanRequest
    if strategy == "complexity":
        return CompareRequest if "compare" in given else ComplexityRequest
    return BlocksRequest if strategy == "blocks" else ChannelRequest


def _those(given: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: given[name] for name in names if name in given}


def _flag(name: str) -> str:
    return _FLAGS.get(name, f"--{name.replace('_', '-')}")


def _read_plan(path: str) -> "te.KeepPlan":
    try:
        data = read_json(Path(path), "the plan")
    except RecordError as cause:
        raise click.UsageError(str(cause)) from cause
    import tfelastic as te

    try:
        return te.KeepPlan.from_json(data)
    except te.errors.PlanError as cause:
        raise RecordError(f"{path}: {cause}") from cause


def _pruned(
    original: "keras.Model",
    plan: "te.KeepPlan",
    target: Target,
    budget: "te.Budget | None",
    *,
    model: "keras.Model | None" = None,
) -> Pruned:
    """Write the pruned model, which is made here unless it is given, and report what it keeps."""
    import tfelastic as te

    graph = te.trace(original)
    target.write(te.prune(original, plan) if model is None else model, plan)
    report = {
        "model": graph.model.name,
        "before": _counts(graph, None),
        "after": _counts(graph, plan),
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
    return Pruned(report, target.output)


def _counts(graph: "te.LayerGraph", plan: "te.KeepPlan | None") -> dict[str, int]:
    """Return what a plan costs; parameters alone where the model leaves its input size open."""
    import tfelastic as te

    try:
        cost = te.cost(graph, plan)
    except te.errors.CostError:
        return {"params": sum(te.layer_params(graph, plan).values())}
    return {name: getattr(cost, name) for name in _COUNTED}
