"""Tells a traced graph in words: its layers, groups, blocks, and what stays whole and why."""

import textwrap
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tfelastic.graph.layer_graph import LayerGraph

_WIDTH = 100


def describe(graph: "LayerGraph") -> str:
    """Return the text that `print(graph)` shows.

    First the layers in execution order, then the groups that a plan may prune, each as a sentence, then the
    blocks, the groups that stay whole with the reasons, and the layers that no rule speaks for.
    """
    frozen = [group for group in graph.groups if group.frozen]
    parts = [
        f"model {graph.model.name!r}: {_count(len(_layers(graph)), 'layer')}, "
        f"{_count(len(graph.prunable), 'prunable group')}, "
        f"{_count(len(frozen), 'frozen group')}, {_count(len(graph.blocks), 'block')}",
        *_section("layers, in execution order", _layers(graph)),
        *_section("groups: channels that live or die together", map(str, graph.prunable)),
        *_section("blocks: parts that can be removed", map(str, graph.blocks)),
        *_section("frozen: channels that no plan may drop", map(str, frozen)),
        *_section("left whole: calls that no rule speaks for", _left_whole(graph)),
    ]
    return "\n".join(parts)


def _layers(graph: "LayerGraph") -> list[str]:
    rows = {
        step.path: (
            type(step.op).__name__,
            ", ".join(str(tensor.shape[1:]) for tensor in step.outputs),
        )
        for step in graph.steps
    }
    path_width = max(map(len, rows), default=0)
    kind_width = max((len(kind) for kind, _ in rows.values()), default=0)
    return [
        f"{path:{path_width}}  {kind:{kind_width}}  {shape}" for path, (kind, shape) in rows.items()
    ]


def _left_whole(graph: "LayerGraph") -> list[str]:
    reasons = {step.path: step.whole for step in graph.steps if step.whole}
    return [f"{path}: {reason}" for path, reason in reasons.items()]


def _section(title: str, lines: Iterable[str]) -> Iterator[str]:
    """Yield a blank line, the title and the indented lines; nothing where there are no lines."""
    lines = list(lines)
    if lines:
        yield ""
        yield title
        for line in lines:
            yield from (
                textwrap.wrap(
                    line,
                    _WIDTH,
                    initial_indent="  ",
                    subsequent_indent="      ",
                    break_long_words=False,
                    break_on_hyphens=False,
                    drop_whitespace=True,
                )
                if len(line) > _WIDTH
                else ["  " + line]
            )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")
