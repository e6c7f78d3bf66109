"""The text that `print(graph)` shows: layers, groups, blocks, and what is frozen or opaque and why."""

import textwrap
from collections.abc import Iterable, Iterator, Sequence

from tfelastic.graph.elements import Block, Group, Step

_WIDTH = 100


def describe(
    name: str, steps: Sequence[Step], groups: Sequence[Group], blocks: Sequence[Block]
) -> str:
    """Return the description of the traced model `name`.

    First the layers in execution order, then the groups that a plan may prune, each as a sentence, then the
    blocks, the frozen groups with the reasons, and the opaque layers.
    """
    layers = _layers(steps)
    prunable = [group for group in groups if not group.frozen]
    frozen = [group for group in groups if group.frozen]
    opaque = {step.path: step.opaque for step in steps if step.opaque}
    parts = [
        f"model {name!r}: {_count(len(layers), 'layer')}, {_count(len(prunable), 'prunable group')}, "
        f"{_count(len(frozen), 'frozen group')}, {_count(len(blocks), 'block')}",
        *_section("layers, in execution order", layers),
        *_section("groups: channels that are kept or dropped together", map(str, prunable)),
        *_section("blocks: parts that can be removed", map(str, blocks)),
        *_section("frozen: channels that no plan may drop", map(str, frozen)),
        *_section(
            "opaque: layers that no rule describes",
            (f"{path}: {reason}" for path, reason in opaque.items()),
        ),
    ]
    return "\n".join(parts)


def _layers(steps: Sequence[Step]) -> list[str]:
    rows = {
        step.path: (
            type(step.op).__name__,
            ", ".join(str(tensor.shape[1:]) for tensor in step.outputs),
        )
        for step in steps
    }
    path_width = max(map(len, rows), default=0)
    kind_width = max((len(kind) for kind, _ in rows.values()), default=0)
    return [
        f"{path:{path_width}}  {kind:{kind_width}}  {shape}" for path, (kind, shape) in rows.items()
    ]


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
