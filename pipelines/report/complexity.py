"""What pruning by complexity found: nets trained directly beside a ranked one that was fine-tuned."""

import functools
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pipelines.report import units
from pipelines.report.pairs import Pair
from pipelines.report.prose import Part, Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: What the ways of pruning are called where people read.
TITLES = {
    "whole": "whole",
    "params": "PA",
    "flops": "FA",
    "memory": "MA",
    "peak": "peak",
    "ranked": "L2, fine-tuned",
}
_RESOURCES = {
    "params": "parameters",
    "macs": "MACs",
    "activation_bytes": "bytes of activations",
    "arena_bytes": "bytes of arena",
}
_BUDGETED = {**_RESOURCES, "peak_bytes": "peak of activations", "tflite_bytes": "file's bytes"}
_TRAJECTORIES = (
    "Groups downwards, steps to the right; the darker, the more of a group's channels stay."
)
_HEADINGS = (
    *("way", "params", "MACs", "activations (kB)", "arena (kB)", ".tflite (kB)", "speed"),
    *("training (min)", "Keras", "difference"),
)
# So many groups have room for their names.
_READABLE = 20


def lead(metrics: Mapping[str, Any]) -> str:
    """Return what the run is about."""
    return f"{metrics['recipe']['model']['name']} pruned by complexity and trained once, beside pruning a trained net"


def tiles(metrics: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the figures to see first, of the first contest."""
    contest = metrics["complexity"]["contests"][0]
    *direct, ranked = contest["rows"]
    best = max(direct, key=lambda row: float(row["accuracy_keras"]))
    total = sum(row["seconds"] for row in direct) / len(direct)
    return [
        (units.percent(best["accuracy_keras"]), f"{TITLES[best['method']]}, trained directly"),
        (units.percent(ranked["accuracy_keras"]), "ranked by L2, fine-tuned"),
        (f"{total / ranked['seconds']:.2f}×", "of that training time, on average"),
        (units.percent(metrics["baseline"]["accuracy"]), "the whole net"),
    ]


def parts(metrics: Mapping[str, Any]) -> list[Part]:
    """Return a part for each budget."""
    return [
        Part(
            _title(contest),
            tuple(_contest(metrics, contest)),
            functools.partial(_draw, contest, metrics["complexity"]["groups"]),
            _TRAJECTORIES,
        )
        for contest in metrics["complexity"]["contests"]
    ]


def _title(contest: Mapping[str, Any]) -> str:
    limits = (
        f"{units.percent(value, 0) if value <= 1 else f'{value:,.0f}'} of the {_BUDGETED[name]}"
        for name, value in contest["budget"].items()
    )
    return f"Within {' and '.join(limits)}"


def _contest(metrics: Mapping[str, Any], contest: Mapping[str, Any]) -> Iterator[str]:
    recipe, whole = metrics["recipe"], metrics["complexity"]["whole"]
    epochs, scheme = recipe["baseline"]["epochs"], recipe["export"]["scheme"]
    *direct, ranked = contest["rows"]
    yield (
        f"All plans fit the same budget. PA, FA, MA and peak draw by the share of parameters, operations, activations "
        f"and of the arena's high-water mark ({recipe['complexity']['sampling']}); their nets are trained once, for "
        f"{epochs} epochs. The last row is the whole net trained for {epochs} epochs, pruned by L2 rank and fine-tuned "
        f"for {epochs}; its training time is that of both. In brackets the 95 % interval of the difference from it, "
        "in points, paired over the test images."
    )
    yield ""
    rows = tuple(_row(row, whole) for row in (whole, *contest["rows"]))
    yield from Table((*_HEADINGS, scheme), rows).markdown()
    yield ""
    for row in direct:
        yield (
            f"- {TITLES[row['method']]}: {row['seconds'] / ranked['seconds']:.2f}x the training time of "
            f"train-prune-fine-tune, {_points(row['against_ranked'])} points from it."
        )
    for key, resource in _RESOURCES.items():
        known = [row for row in direct if row[key] is not None]
        if len(known) > 1 and key not in contest["budget"]:
            least = min(known, key=lambda row: float(row[key]))
            yield f"- Fewest {resource}: {TITLES[least['method']]}, {least[key]:,.0f}."


def _row(row: Mapping[str, Any], whole: Mapping[str, Any]) -> tuple[str, ...]:
    def share(key: str, shown: str) -> str:
        return f"{shown} ({units.percent(row[key] / whole[key], 1)})"

    arena = row["arena_bytes"]
    return (
        TITLES[row["method"]],
        share("params", f"{row['params']:,}"),
        share("macs", f"{units.millions(row['macs'])} M"),
        share("activation_bytes", units.kilobytes(row["activation_bytes"])),
        share("arena_bytes", units.kilobytes(arena)) if arena and whole["arena_bytes"] else "–",
        units.kilobytes(row["tflite_bytes"]),
        f"{whole['latency_us'] / row['latency_us']:.2f}x",
        units.minutes(row["seconds"]),
        units.percent(row["accuracy_keras"]),
        _points(row["against_ranked"]) if row["against_ranked"] else "–",
        units.percent(row["accuracy_tflite"]),
    )


def _points(pair: Mapping[str, Any]) -> str:
    read = Pair.from_json(dict(pair))
    low, high = read.interval
    return f"{read.points:+.2f} [{low:+.2f}, {high:+.2f}]"


def _draw(contest: Mapping[str, Any], sizes: Mapping[str, int]) -> "Figure":
    """Draw the pruning traces: groups downwards, steps to the right, the darker the more channels stay."""
    from pipelines.report.figures import canvas, heat_map

    drawn = [row for row in contest["rows"] if row["steps"]]
    height = 1.4 + min(4.0, 0.16 * len(sizes))
    figure, panels = canvas(7.2, height, columns=max(1, len(drawn)))
    for axes, row in zip(panels, drawn, strict=False):
        heat_map(axes, _runs(row["steps"], sizes))
        axes.set_title(TITLES[row["method"]])
        axes.set_xlabel(f"{len(row['steps'])} steps")
        first = axes is panels[0]
        names = list(sizes) if first and len(sizes) <= _READABLE else []
        axes.set_yticks(range(len(names)), names, fontsize=7)
    return figure


def _runs(
    steps: Sequence[Mapping[str, Any]], sizes: Mapping[str, int]
) -> Iterator[tuple[float, float, float, float]]:
    """Yield a cell for each stretch of steps in which a group stays as it is."""
    for place, (group, size) in enumerate(sizes.items()):
        since, kept = 0, size
        for number, step in enumerate(steps, start=1):
            if step["group"] == group:
                yield since, place, number - since, kept / size
                since, kept = number, step["keep"]
        yield since, place, len(steps) + 1 - since, kept / size
