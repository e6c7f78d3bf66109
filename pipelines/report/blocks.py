"""What block pruning found: the orders of removal, every candidate, depth beside width, and the result."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pipelines.report import units
from pipelines.report.pairs import Pair
from pipelines.report.prose import Part, Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: What the orders of removal are called where people read.
TITLES = {
    "direct": "direct removal",
    "random": "random blocks",
    "smallest": "smallest weights",
}
#: Comes before an order's name in that of its search, where nothing is trained after a step.
UNTUNED = "untuned_"
_HEALINGS = {
    "": "With fine-tuning after each step",
    UNTUNED: "With BatchNorm statistics measured anew after each step, and nothing trained",
}
_NETS = {
    "baseline": "whole",
    "whole": "whole, trained on",
    "pruned": "pruned",
}


def lead(metrics: Mapping[str, Any]) -> str:
    """Return what the run is about."""
    taken, net = len(_steps(metrics, "budget")), metrics["recipe"]["model"]["name"]
    return f"{taken} residual blocks taken out of {net}, each time one that is missed least"


def tiles(metrics: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the figures to see first."""
    whole, *_, pruned = metrics["blocks"]["nets"]
    pair = Pair.from_json(pruned["against_baseline"])
    first, last = metrics["blocks"]["depth"][0], metrics["blocks"]["depth"][-1]
    return [
        (units.percent(1 - pruned["params"] / whole["params"], 1), "of the parameters removed"),
        (f"{pair.points:+.2f}", "points of accuracy against the whole net"),
        (units.percent(1 - pruned["macs"] / whole["macs"], 1), "of the MACs removed"),
        (f"{first['latency_us'] / last['latency_us']:.2f}×", "as fast on this machine"),
    ]


def parts(metrics: Mapping[str, Any]) -> list[Part]:
    """Return the parts of the results."""
    return [
        Part("Accuracy against blocks removed", tuple(_orders(metrics)), lambda: _draw(metrics)),
        Part(
            "Every candidate at every step", (), lambda: _draw_candidates(metrics, "direct"), _MAP
        ),
        Part(
            "Down to the budget",
            tuple(_depth(metrics)),
            lambda: _draw_candidates(metrics, "budget"),
        ),
        Part("The result", tuple(_result(metrics))),
    ]


_MAP = (
    "The accuracy on the judging images without each block, before fine-tuning: the darker the higher; framed, the "
    "block that went. Empty: gone before."
)


def _steps(metrics: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    steps: list[Mapping[str, Any]] = metrics["blocks"]["searches"][name]["search"]["steps"]
    return steps


def _orders(metrics: Mapping[str, Any]) -> Iterator[str]:
    found = metrics["blocks"]
    yield (
        f"Candidates are judged on {found['judged_by']:,} images held out of the training images. The accuracies below "
        f"are on {found['tested_by']:,} test images; the whole net reaches {units.percent(found['baseline'])} there. "
        "In brackets the 95 % interval of direct removal's lead, in points, paired over these images."
    )
    for prefix, title in _HEALINGS.items():
        searches = {order: found["searches"][prefix + order] for order in TITLES}
        yield from ("", f"{title}:", "")
        yield from _steps_beside(searches, found["searches"]["direct"]["search"]["original_cost"])
        yield ""
        for order, search in searches.items():
            if search["behind"]:
                yield _leads(order, [Pair.from_json(each) for each in search["behind"]])


def _steps_beside(
    searches: Mapping[str, Mapping[str, Any]], whole: Mapping[str, int]
) -> Iterator[str]:
    """Yield the table of one way of healing: a row for each step, the orders side by side."""
    rows = []
    for number, step in enumerate(searches["direct"]["search"]["steps"]):
        row = [str(number + 1), step["removed"]]
        row += [units.percent(step["spent"][key] / whole[key], 1) for key in ("params", "macs")]
        for search in searches.values():
            row.append(units.percent(search["tests"][number]))
            row += [_points(pair) for pair in search["behind"][number : number + 1]]
        rows.append(tuple(row))
    headings = ["blocks removed", "removed last", "params", "MACs"]
    for order, search in searches.items():
        headings += [TITLES[order], "lead"] if search["behind"] else [TITLES[order]]
    yield from Table(tuple(headings), tuple(rows)).markdown()


def _leads(order: str, pairs: Sequence[Pair]) -> str:
    ahead = sum(pair.points > 0 for pair in pairs)
    sure = sum(pair.interval[0] > 0 for pair in pairs)
    return (
        f"- Direct removal is ahead of {TITLES[order]} at {ahead} of {len(pairs)} steps, at {sure} of them with "
        "the whole interval above zero."
    )


def _points(pair: Mapping[str, Any]) -> str:
    read = Pair.from_json(dict(pair))
    low, high = read.interval
    return f"{read.points:+.2f} [{low:+.2f}, {high:+.2f}]"


def _depth(metrics: Mapping[str, Any]) -> Iterator[str]:
    found, steps = metrics["blocks"], _steps(metrics, "budget")
    per = metrics["recipe"]["blocks"]["per"]
    what = "accuracy lost per share of the cost saved" if per == "saving" else "accuracy lost"
    yield (
        f"Direct removal until the budget is met, weighing candidates by the {what}, with fine-tuning after each step; "
        "accuracies are on the same test images as above. Beside each step's net stands the whole net with all "
        "channels cut evenly to no more MACs. Speeds are ratios of medians on this machine, taking turns; proportional "
        "speed would be one over the share of the MACs."
    )
    yield ""
    headings = ("blocks removed", "removed last", "params", "accuracy", "MACs", "proportional")
    reached = zip(
        ("–", *(step["removed"] for step in steps)),
        (found["baseline"], *found["searches"]["budget"]["tests"]),
        strict=True,
    )
    rows = tuple(
        (str(row["blocks"]), name, *_depth_row(row, found["depth"][0], accuracy))
        for row, (name, accuracy) in zip(found["depth"], reached, strict=True)
    )
    yield from Table((*headings, "speed", "width cut, MACs", "speed"), rows).markdown()


def _depth_row(
    row: Mapping[str, Any], whole: Mapping[str, Any], accuracy: float
) -> tuple[str, ...]:
    def speed(net: Mapping[str, Any]) -> str:
        return f"{whole['latency_us'] / net['latency_us']:.2f}x"

    def share(net: Mapping[str, Any]) -> str:
        return units.percent(net["macs"] / whole["macs"], 1)

    width = row["width"]
    beside = (share(width), speed(width)) if width else ("–", "–")
    ideal = f"{whole['macs'] / row['macs']:.2f}x"
    params = units.percent(row["params"] / whole["params"], 1)
    return (params, units.percent(accuracy), share(row), ideal, speed(row), *beside)


def _result(metrics: Mapping[str, Any]) -> Iterator[str]:
    recipe, nets = metrics["recipe"], metrics["blocks"]["nets"]
    finish = recipe["blocks"]["finish"]
    more = "1 more epoch" if finish["epochs"] == 1 else f"{finish['epochs']} more epochs"
    taught = " with the whole net as it was before for a teacher" if finish["distillation"] else ""
    yield (
        f"The net within the budget, trained for {more}{taught}; so was "
        "the whole net. In brackets the 95 % interval of the difference from the whole net as it was before, in "
        "points, paired over all test images."
    )
    yield ""
    headings = ("net", "params", "MACs (M)", ".tflite (kB)", "Keras", "difference")
    rows = tuple(
        (
            _NETS[net["name"]],
            f"{net['params']:,} ({units.percent(net['params'] / nets[0]['params'], 1)})",
            units.millions(net["macs"]),
            units.kilobytes(net["tflite_bytes"]),
            units.percent(net["accuracy_keras"]),
            _points(net["against_baseline"]) if net is not nets[0] else "–",
            units.percent(net["accuracy_tflite"]),
        )
        for net in nets
    )
    yield from Table((*headings, recipe["export"]["scheme"]), rows).markdown()


def _draw(metrics: Mapping[str, Any]) -> "Figure":
    from matplotlib.ticker import MaxNLocator

    from pipelines.report.figures import canvas

    found = metrics["blocks"]
    figure, panels = canvas(7.2, 3.6, columns=len(_HEALINGS))
    for axes, prefix, title in zip(
        panels, _HEALINGS, ("fine-tuned", "not fine-tuned"), strict=True
    ):
        for (order, name), marker in zip(TITLES.items(), "os^", strict=True):
            tests = found["searches"][prefix + order]["tests"]
            reached = [100 * share for share in (found["baseline"], *tests)]
            axes.plot(range(len(reached)), reached, marker=marker, markersize=4, label=name)
        axes.set_title(title)
        axes.set_xlabel("blocks removed")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(axis="y")
    panels[0].set_ylabel("accuracy, %")
    panels[0].legend(frameon=False)
    return figure


def _draw_candidates(metrics: Mapping[str, Any], name: str) -> "Figure":
    from pipelines.report.figures import canvas, heat_map, mark

    steps = _steps(metrics, name)
    candidates = metrics["blocks"]["searches"][name]["search"]["candidates"]
    figure, (axes,) = canvas(7.2, 1.2 + 0.17 * len(candidates), columns=1)
    low, high = _range(steps)
    heat_map(
        axes,
        (
            (number + 0.5, candidates.index(name), 1.0, (share - low) / max(high - low, 1e-9))
            for number, step in enumerate(steps)
            for name, share in step["accuracies"].items()
        ),
    )
    for number, step in enumerate(steps):
        mark(axes, number + 0.5, candidates.index(step["removed"]), 1.0)
    axes.set_yticks(range(len(candidates)), candidates, fontsize=7)
    axes.set_xticks(range(1, len(steps) + 1))
    axes.set_xlabel(f"step (palest {units.percent(low, 1)}, darkest {units.percent(high, 1)})")
    return figure


def _range(steps: Sequence[Mapping[str, Any]]) -> tuple[float, float]:
    shares = [share for step in steps for share in step["accuracies"].values()]
    return min(shares), max(shares)
