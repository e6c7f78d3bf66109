"""`ladder`: nested widths for one model."""

from collections.abc import Sequence
from itertools import pairwise

import keras
import numpy as np

from tfelastic.criteria import Criterion, resolve
from tfelastic.errors import PlanError
from tfelastic.graph import LayerGraph, trace
from tfelastic.plan import KeepPlan, Ladder, Rung
from tfelastic.strategies.rounding import kept_units


def ladder(
    model: keras.Model | LayerGraph,
    *,
    widths: Sequence[float] = (1.0, 0.75, 0.5, 0.25),
    criterion: str | Criterion = "magnitude",
    round_to: int = 8,
) -> Ladder:
    """Rank each group's channels once and keep the best share of them at every width.

    Every group is re-ordered by rank, so each narrower width is a prefix of the wider one. Frozen groups, and
    those whose channels a layer cuts by position, stay whole at every width.

    Args:
        model: A functional or sequential model, or its graph.
        widths: Shares of each group's channels, widest first, the first of them 1.
        criterion: What ranks the channels; a name or a `Criterion`.
        round_to: Channel counts are multiples of this: 8 for phones, 4 for microcontrollers; less in groups of
            fewer than four times as many channels.

    Returns:
        A ladder whose rungs are named after their widths: `w100`, `w075`, ...

    Raises:
        CriterionError: The criterion is unknown.
        PlanError: `widths` do not fall from 1, or nothing in the model can be pruned.

    Example:
        >>> import keras, tfelastic as te
        >>> model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(16, 3, name="conv"),
        ...                           keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(10)])
        >>> [len(rung.plan.keep["conv"]) for rung in te.ladder(model).rungs]
        [16, 12, 8, 4]
    """
    widths = tuple(float(width) for width in widths)
    falling = all(wide > narrow > 0 for wide, narrow in pairwise(widths))
    if not widths or widths[0] != 1 or not falling:
        raise PlanError(f"the widths of a ladder fall from 1 and stay above 0, received {widths}")
    graph = model if isinstance(model, LayerGraph) else trace(model)
    groups = [group for group in graph.prunable if group.permutable]
    if not groups:
        raise PlanError(
            f"no channels of model {graph.model.name!r} can be pruned; print(tfelastic.trace(model)) says why"
        )
    scores = resolve(criterion).score(graph)
    order = {g.name: tuple(np.argsort(-scores[g.name], kind="stable").tolist()) for g in groups}
    rungs = []
    for width in widths:
        keep = {g.name: order[g.name][: kept_units(g, width, round_to)] for g in groups}
        rungs.append(Rung(f"w{round(width * 100):03d}", width, KeepPlan(graph.fingerprint, keep)))
    return Ladder(tuple(rungs))
