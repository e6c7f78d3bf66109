"""Interpolation: rungs between the trained ones, what they keep and where their own weights come from."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import keras
import numpy as np
from keras import ops

from tfelastic._plan import KeepPlan, Ladder, Rung
from tfelastic.elastic.view import RungView
from tfelastic.elastic.weight_source import positions_in_slice
from tfelastic.errors import PlanError
from tfelastic.graph import LayerGraph
from tfelastic.strategies import step_of
from tfelastic.surgery import Slice


@dataclass(frozen=True)
class Neighbours:
    """The two rungs that a width lies between.

    Attributes:
        wider: The next wider rung.
        narrower: The next narrower rung.
        share: How far up from the narrower to the wider one, 0 to 1.
    """

    wider: Rung
    narrower: Rung
    share: float

    @classmethod
    def of(cls, width: float, ladder: Ladder) -> "Neighbours":
        """Return the neighbours of `width` on `ladder`.

        Raises:
            PlanError: It does not lie between two rungs.
        """
        for wider, narrower in pairwise(ladder.rungs):
            if narrower.width < width < wider.width:
                share = (width - narrower.width) / (wider.width - narrower.width)
                return cls(wider, narrower, share)
        raise PlanError(
            f"a new width lies between two of the ladder's widths {[rung.width for rung in ladder.rungs]}, "
            f"received {width}"
        )


def refine_ladder(
    graph: LayerGraph, ladder: Ladder, widths: Sequence[float], *, round_to: int
) -> Ladder:
    """Return `ladder` with further rungs, each group as wide as its widths in the neighbours suggest.

    A rung keeps its wider neighbour's blocks.

    Args:
        graph: The graph that the ladder's plans were made for.
        ladder: The ladder, as it looks from its widest rung.
        widths: The new widths.
        round_to: New channel counts are multiples of this, as in `tfelastic.ladder`.

    Raises:
        PlanError: A width does not lie between two rungs, or two rungs would keep the same.
    """
    new = [_rung(graph, width, Neighbours.of(width, ladder), round_to) for width in widths]
    rungs = sorted([*ladder.rungs, *new], key=lambda rung: -rung.width)
    for wide, narrow in pairwise(rungs):
        if wide.plan == narrow.plan:
            raise PlanError(
                f"rungs {wide.name!r} and {narrow.name!r} would keep the same channels, counted in steps of "
                f"{round_to}; leave one of them out, or take a smaller round_to"
            )
    return Ladder(tuple(rungs))


def interpolate(view: RungView, wider: keras.Model, narrower: keras.Model, *, share: float) -> None:
    """Set a rung's own weights to a mean of its neighbours'; what only the wider one has is copied.

    Args:
        view: The rung.
        wider: The wider neighbour: a view, or the widest model itself.
        narrower: The narrower neighbour.
        share: How far up from the narrower to the wider one, the weight of the wider one's.
    """
    above, below = _own_weights(wider, view), _own_weights(narrower, view)
    for key, source in view.own_sources.items():
        piece, (around, value) = source.slice, above[key]
        value = value[np.ix_(*positions_in_slice(around, piece))]
        # A mean makes sense only where a rule knows what a weight is: a bias, a scale, a statistic.
        if key in below and piece.role is not None:
            within, lower = below[key]
            block = np.ix_(*positions_in_slice(piece, within))
            value[block] += (1 - share) * (lower - value[block])
        source.own.assign(value)


def _own_weights(rung: keras.Model, view: RungView) -> dict[int, tuple[Slice, np.ndarray]]:
    """Return where a rung's own weights lie in the widest model's, and their values; all where it is that model."""
    if isinstance(rung, RungView):
        return {
            key: (source.slice, np.array(ops.convert_to_numpy(source.own)))
            for key, source in rung.own_sources.items()
        }
    complete = [replace(source.slice, takes={}) for source in view.own_sources.values()]
    return {id(piece.source): (piece, view.own_start(piece)) for piece in complete}


def _rung(graph: LayerGraph, width: float, neighbours: Neighbours, round_to: int) -> Rung:
    keep = {}
    for name, units in neighbours.wider.plan.keep.items():
        most, least = len(units), len(neighbours.narrower.plan.keep[name])
        step = step_of(graph.group(name), round_to)
        count = int((least + neighbours.share * (most - least)) / step + 0.5) * step
        keep[name] = tuple(range(min(most, max(least, count))))
    plan = KeepPlan(graph.fingerprint, keep, neighbours.wider.plan.removed)
    return Rung(f"w{round(width * 100):03d}", width, plan)
