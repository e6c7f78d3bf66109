"""The comparison of the two ways to an elastic network with each rung's net trained alone: tables and picture."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from pipelines.report import units
from pipelines.report.pairs import Pair

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: What the methods are called where people read.
TITLES = {"alone": "alone", "joint": "jointly", "grown": "grown"}
_ELASTIC = ("joint", "grown")
_HEADINGS = (
    *("rung", "params", "share", "MACs (M)"),
    *("alone", "jointly", "difference", "grown", "difference"),
    *(f"{title}, int8" for title in TITLES.values()),
)


def table(metrics: Mapping[str, Any]) -> list[str]:
    """Return the lines of Markdown that tell how the methods compare.

    Args:
        metrics: What `metrics.json` of a finished run with a comparison holds.
    """
    rungs, epochs = metrics["comparison"], metrics["recipe"]["elastic"]["epochs"]
    return [
        f"Both ways and each rung's net alone, all from the same baseline and for {epochs} epochs each "
        f"(prune-and-grow: per level). {_teachers(metrics['recipe'])} In brackets the 95 % interval of the difference "
        "from the net trained alone, in points, paired over the test images.",
        "",
        *_markdown(
            _HEADINGS,
            [_row(each, rungs[0]["params"]) for each in rungs],
        ),
        "",
        *summary(metrics),
        "",
        *_drops(metrics),
    ]


def _teachers(recipe: Mapping[str, Any]) -> str:
    joint = "the widest one's outputs" if recipe["elastic"]["distillation"] else "the labels"
    grown = "the labels and the original" if recipe["comparison"]["distillation"] else "the labels"
    return f"Jointly, narrower rungs learn from {joint}; grown, each level learns from {grown}."


def summary(metrics: Mapping[str, Any]) -> Iterator[str]:
    """Yield a line on each thing that an elastic network is judged by."""
    rungs = metrics["comparison"]
    widest, narrowest = rungs[0]["methods"], rungs[-1]["methods"]
    whole = widest["alone"]["accuracy_keras"]
    for method in _ELASTIC:
        pairs = [Pair.from_json(each["methods"][method]["against_alone"]) for each in rungs]
        above = sum(pair.points >= 0 for pair in pairs)
        below = 100 * (whole - narrowest[method]["accuracy_keras"])
        yield (
            f"- {TITLES[method]}: the widest rung is {_difference(pairs[0])} from the same net alone; the narrowest is "
            f"{below:.2f} points below the whole net alone; {above} of {len(rungs)} rungs are at or above their net "
            "alone."
        )


def figure(metrics: Mapping[str, Any]) -> "Figure":
    """Draw each method's accuracy against the share of parameters."""
    from matplotlib.figure import Figure

    rungs = metrics["comparison"]
    shares = [100 * each["params"] / rungs[0]["params"] for each in rungs]
    drawn = Figure(figsize=(7.2, 3.4), layout="constrained")
    axes = drawn.subplots()
    for method, marker in (("alone", "s"), ("joint", "o"), ("grown", "^")):
        reached = [100 * each["methods"][method]["accuracy_keras"] for each in rungs]
        axes.plot(shares, reached, marker=marker, label=TITLES[method])
    axes.set_xlabel("parameters, % of the whole net's")
    axes.set_ylabel("accuracy, %")
    axes.legend(frameon=False)
    return drawn


def _row(rung: Mapping[str, Any], whole: int) -> list[str]:
    methods = rung["methods"]
    cells = [
        rung["name"],
        f"{rung['params']:,}",
        units.percent(rung["params"] / whole, 1),
        units.millions(rung["macs"]),
        units.percent(methods["alone"]["accuracy_keras"]),
    ]
    for method in _ELASTIC:
        cells += [
            units.percent(methods[method]["accuracy_keras"]),
            _difference(Pair.from_json(methods[method]["against_alone"])),
        ]
    return cells + [units.percent(methods[method]["accuracy_tflite"]) for method in TITLES]


def _drops(metrics: Mapping[str, Any]) -> list[str]:
    """Return the table of what each rung loses against the original, ours beside the published."""
    published = metrics["recipe"]["comparison"]["published"]
    known = published["rungs"] if published else {}
    rungs = [each for each in metrics["comparison"] if each["name"] in known]
    if not rungs:
        return []
    original = metrics["baseline"]["accuracy"]
    rows = []
    for each in rungs:
        ours = [100 * (original - each["methods"][method]["accuracy_keras"]) for method in _ELASTIC]
        theirs = published["original"] - known[each["name"]]
        rows.append([each["name"], *(f"{drop:.2f}" for drop in (*ours, theirs))])
    return [
        f"Points below the original ({units.percent(original)} here, {published['original']:.2f} % in "
        f"{published['source']}, on the lossless images):",
        "",
        *_markdown(("rung", "jointly", "grown", "published"), rows),
        "",
    ]


def _difference(pair: Pair) -> str:
    low, high = pair.interval
    return f"{pair.points:+.2f} [{low:+.2f}, {high:+.2f}]"


def _markdown(headings: tuple[str, ...], rows: list[list[str]]) -> list[str]:
    lines = [list(headings), ["---", *("---:" for _ in headings[1:])], *rows]
    return [f"| {' | '.join(cells)} |" for cells in lines]
