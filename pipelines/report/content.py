"""What a report consists of: a headline, the key figures, and sections, each of text, tables and a picture."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class KeyFigure:
    """A figure to see first, and what it is."""

    value: str
    caption: str


@dataclass(frozen=True)
class Section:
    """A section of a run's results.

    Attributes:
        title: Its heading.
        lines: Markdown; where empty, the section is for the page alone.
        draw: Draws its picture, where it has one.
        caption: What to know of the picture.
        figures: Markdown of what the picture shows, for the page alone, where it is folded away.
        machine_bound: Whether it holds times of this machine, which mean nothing on a page of results.
    """

    title: str
    lines: tuple[str, ...] = ()
    draw: "Callable[[], Figure] | None" = None
    caption: str = ""
    figures: tuple[str, ...] = ()
    machine_bound: bool = False


@dataclass(frozen=True)
class NetSummary:
    """What one net of a run reaches as it is exported, and what it costs; `None` where that was not measured."""

    name: str
    score: float
    params: int
    macs: int
    tflite_bytes: int
    latency_us: float | None = None


@dataclass(frozen=True)
class Content:
    """A run's results as people read them.

    Attributes:
        headline: What the run is about, in half a sentence.
        key_figures: The figures to see first.
        sections: The sections in the order in which they are read.
        nets: The nets by which the run is compared with others, the largest first.
        curves: What to know of the training curves.
    """

    headline: str
    key_figures: tuple[KeyFigure, ...]
    sections: tuple[Section, ...]
    nets: tuple[NetSummary, ...]
    curves: str = "On the training examples, augmented where the recipe says so."
