"""`tfelastic inspect`: what a model is made of and what can be taken out of it, or what a bundle holds."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from pipelines.cli import bundle_file, model_file, options
from pipelines.cli.json_output import echo_json

if TYPE_CHECKING:
    import tfelastic as te

_UNLIMITED = 10_000
_SENTENCE = 60


@click.command()
@click.argument("file", type=options.PATH, metavar="MODEL.keras|BUNDLE.elastic")
@options.as_json
def command(file: str, as_json: bool) -> None:
    """Print what a model or a bundle holds.

    Of a model its layers, groups, blocks and cost, and what is frozen and why; of an elastic network
    its rungs too. Of a bundle its variants, what each shares with those before it, and where the
    bytes go.

    \b
    tfelastic inspect net.keras
    tfelastic inspect net.elastic --json
    """  # noqa: D301 - click knows a paragraph to leave alone by the character.
    if file.endswith(".elastic") or bundle_file.is_bundle(file):
        found = bundle_file.contents(bundle_file.load(file), file)
        if as_json:
            echo_json(found)
        else:
            bundle_file.print_contents(found)
        return
    loaded = model_file.load(file)
    import tfelastic as te

    elastic = isinstance(loaded, te.ElasticModel)
    graph = loaded.graph if elastic else te.trace(loaded)
    cost = _cost(graph)
    rungs = _rungs(loaded) if elastic and cost else []
    if as_json:
        ladder = {"ladder": rungs} if elastic else {}
        echo_json(_as_json(graph, cost) | ladder)
    else:
        _print(graph, cost, rungs)


def _cost(graph: "te.LayerGraph") -> "te.Cost | None":
    """Return what a model costs; `None` where its input size is open, on which all but the parameters depend."""
    import tfelastic as te

    try:
        return te.cost(graph)
    except te.errors.CostError:
        return None


def _rungs(net: "te.ElasticModel") -> list[dict[str, Any]]:
    """Return what each rung of an elastic network keeps and costs, widest first."""
    import tfelastic as te

    found = []
    for rung in net.ladder.rungs:
        spent = te.cost(net.graph, rung.plan)
        removed = list(rung.plan.removed)
        costs = {"params": spent.params, "macs": spent.macs, "peak_bytes": spent.peak_bytes}
        found.append({"name": rung.name, "width": rung.width, "removed": removed, **costs})
    return found


def _as_json(graph: "te.LayerGraph", cost: "te.Cost | None") -> dict[str, Any]:
    return {
        "model": graph.model.name,
        "fingerprint": graph.fingerprint,
        "cost": cost.to_json() if cost else None,
        "groups": [asdict(group) for group in graph.groups],
        "blocks": [asdict(block) for block in graph.blocks],
        "opaque": {step.path: step.opaque for step in graph.steps if step.opaque},
    }


def _layer_rows(graph: "te.LayerGraph", cost: "te.Cost | None") -> Iterator[tuple[str, ...]]:
    """Yield each layer's path, kind, output shape, parameters, MACs and activations, `?` where that is not known.

    A guess stands behind the activations of a layer of which it is not known what the converter makes.
    """
    import tfelastic as te

    for layer in cost.layers if cost else ():
        guess = " (guess)" if layer.guessed else ""
        counts = (f"{layer.params:,}", f"{layer.macs:,}", f"{layer.activation_bytes:,} B{guess}")
        yield layer.path, layer.kind, _shape(layer.output_shape), *counts
    if cost is None:
        params = te.layer_params(graph)
        last = {step.path: step for step in graph.steps}
        for path, step in last.items():
            shape = _shape(step.outputs[-1].shape)
            yield path, type(step.op).__name__, shape, f"{params[path]:,}", "?", "?"


def _shape(shape: tuple[int | None, ...]) -> str:
    return " x ".join("?" if length is None else str(length) for length in shape[1:])


def _print(graph: "te.LayerGraph", cost: "te.Cost | None", rungs: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    # Names are for searching and copying, so no column is ever too narrow: a terminal wraps lines that are longer than
    # itself. Reasons may be sentences; they are wrapped within their column.
    console = Console(highlight=False, soft_wrap=True, width=_UNLIMITED)

    def table(*headings: str, left: int) -> Table:
        made = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", pad_edge=False)
        for position, heading in enumerate(headings):
            sentences = heading == "state"
            made.add_column(
                heading,
                justify="left" if position < left else "right",
                no_wrap=not sentences,
                max_width=_SENTENCE if sentences else None,
                overflow="fold",
            )
        return made

    open_size = "MACs and memory depend on the input size, which the model leaves open"
    console.print(f"[bold]{escape(graph.model.name)}[/]: {cost or open_size}\n")
    if rungs:
        ladder = table("rung", "width", "params", "MACs", "peak", left=1)
        for rung in rungs:
            missing = f" without {', '.join(rung['removed'])}" if rung["removed"] else ""
            ladder.add_row(
                escape(rung["name"] + missing),
                f"{rung['width']:g}",
                f"{rung['params']:,}",
                f"{rung['macs']:,}",
                f"{rung['peak_bytes']:,} B",
            )
        console.print(ladder)
        console.print()
    layers = table("layer", "kind", "output", "params", "MACs", "activations", left=2)
    for row in _layer_rows(graph, cost):
        layers.add_row(*map(escape, row))
    console.print(layers)
    groups = table("group", "coupled layers", "state", "units", "channels a unit", left=3)
    for group in graph.groups:
        coupled = list(dict.fromkeys(member.layer for member in group.members))
        shown = ", ".join(coupled[:3]) + (f" and {len(coupled) - 3} more" if coupled[3:] else "")
        state = f"frozen: {'; '.join(group.frozen)}" if group.frozen else "prunable"
        groups.add_row(
            escape(group.name), escape(shown), escape(state), str(group.size), str(group.channels)
        )
    console.print()
    console.print(groups)
    console.print()
    for block in graph.blocks:
        console.print(escape(str(block)))
    for step in graph.steps:
        if step.opaque:
            console.print(f"opaque: {escape(step.path)} ({escape(step.opaque)})")
