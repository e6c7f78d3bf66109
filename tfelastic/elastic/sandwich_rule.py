"""The sandwich rule: which of the narrower rungs a step trains, and what they learn."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from tfelastic.elastic.view import RungView
from tfelastic.errors import TrainingError
from tfelastic.training import DistillationLoss


class SandwichRule:
    """Trains the narrowest rung and one or two in between, drawn anew at every step where there are more.

    The draw is part of the compiled step: the rung's number comes from a `SeedGenerator`, whose state is a variable,
    and picks a branch of `ops.switch`. A branch changes nothing; it returns its outputs and what the statistics of
    all middle rungs become, and those are assigned afterwards. So a step costs three or four rungs' work on a
    ladder of any length, compiles once, and runs the same on every backend.

    Source: Yu and Huang, Universally Slimmable Networks, arXiv 1903.05134, section 3.2.

    Args:
        views: The narrower rungs, widest first.
        middle_rungs: How many rungs between the widest and the narrowest a step trains, 1 or 2.
        seed: Fixes the draws.

    Raises:
        TrainingError: `middle_rungs` is neither.
    """

    def __init__(self, views: Sequence[RungView], *, middle_rungs: int, seed: int) -> None:
        if middle_rungs not in (1, 2):
            raise TrainingError(
                f"a step trains 1 or 2 rungs between the widest and the narrowest, received middle_rungs={middle_rungs}"
            )
        self._middle_rungs = middle_rungs
        self._narrowest = tuple(views[-1:])
        self._middle = tuple(views[:-1])
        self.draws = (
            keras.random.SeedGenerator(seed, name="rung_draws")
            if len(self._middle) > middle_rungs
            else None
        )

    def losses(
        self, loss: DistillationLoss, x: Any, y: Any, teacher: Any, sample_weight: Any
    ) -> list[Any]:
        """Run the step's narrower rungs on `x` in training and return the loss of each, scalars.

        Args:
            loss: What they are trained by.
            x: What goes into the network.
            y: The labels.
            teacher: The widest rung's outputs.
            sample_weight: The labels' weights, if any.
        """
        if self.draws is None:
            outputs = [view(x, training=True) for view in (*self._middle, *self._narrowest)]
        else:
            outputs = [self._run_drawn(index, x, teacher) for index in self._draw()]
            outputs += [view(x, training=True) for view in self._narrowest]
        return [loss.compute(x, y, each, teacher, sample_weight) for each in outputs]

    def _draw(self) -> list[Any]:
        """Return the numbers of one middle rung, or of two different ones."""
        count = len(self._middle)
        first = keras.random.randint((), 0, count, seed=self.draws)
        if self._middle_rungs == 1:
            return [first]
        further = keras.random.randint((), 1, count, seed=self.draws)
        return [first, (first + further) % count]

    def _run_drawn(self, index: Any, x: Any, like: Any) -> Any:
        """Run the middle rung of that number in training; its outputs are structured as `like`."""
        state = [variable for view in self._middle for variable in view.updated]

        def branch(view: RungView) -> Any:
            def run_view() -> list[Any]:
                run = view.run(x, training=True)
                after = dict(zip(map(id, view.updated), run.updates, strict=True))
                kept = [ops.convert_to_tensor(after.get(id(v), v.value)) for v in state]
                return [*keras.tree.flatten(run.outputs), *kept]

            return run_view

        returned = ops.switch(index, [branch(view) for view in self._middle])
        count = len(returned) - len(state)
        for variable, value in zip(state, returned[count:], strict=True):
            variable.assign(value)
        return keras.tree.pack_sequence_as(like, list(returned[:count]))
