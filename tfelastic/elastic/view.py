"""`RungView`: one width of an elastic network, run on slices of the shared variables."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from tfelastic._plan import Selection
from tfelastic.elastic.structure import Run, RungStructure, measure_frozen_statistics
from tfelastic.elastic.untracked import Untracked
from tfelastic.elastic.weight_source import (
    Scales,
    SharedWeight,
    WeightSource,
    has_own,
    own_start,
    own_weight,
)
from tfelastic.surgery import Slice, build_abstract
from tfelastic.training import recalibrate


class RungView(keras.Model):
    """One width of an elastic network as a model of its own, with no copy of the shared weights.

    It is the pruned model's structure, run on slices of the widest model's variables: kernels are shared, so a
    view reads the leading part of each; biases, BatchNorm shifts and statistics belong to the view; a BatchNorm
    scale is the shared one times a positive factor of the view's own, or the view's own size with the shared sign.

    Args:
        base: The widest model, whose variables are shared.
        selection: What the view keeps of it.
        scales: What of a BatchNorm scale is the view's own.
        name: The rung's name.
    """

    def __init__(
        self, base: keras.Model, selection: Selection, *, scales: Scales = "factors", name: str
    ) -> None:
        # Values pass through in full precision; the layers of the structure cast them as their policies say.
        super().__init__(name=name, autocast=False, dtype=keras.config.floatx())
        self.base = base
        self._scales = scales
        model, slices = build_abstract(selection)
        measure_frozen_statistics(model, slices)
        self._structure = Untracked(RungStructure(model, [self._source(each) for each in slices]))
        self.built = True

    def build(self, input_shape: Any = None) -> None:
        """Nothing is left to build."""
        self.built = True

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """Return what the pruned model returns for `inputs`."""
        run = self.run(inputs, training=bool(training))
        for variable, value in zip(self.updated, run.updates, strict=True):
            variable.assign(value)
        return run.outputs

    def run(self, inputs: Any, *, training: bool) -> Run:
        """Return the outputs, and what each of the `updated` variables becomes; nothing is changed."""
        return self.structure.run(inputs, training=training)

    @property
    def structure(self) -> RungStructure:
        """The view's layers, and where their weights come from."""
        return self._structure.value

    @property
    def updated(self) -> list[keras.Variable]:
        """The view's own variables that running it in training changes: statistics and random states."""
        return self.structure.updated

    @property
    def statistics(self) -> list[keras.Variable]:
        """The view's own running statistics."""
        return self.structure.statistics

    @property
    def own(self) -> dict[int, keras.Variable]:
        """The view's own variables by the `id` of the widest model's variable that each stands for."""
        return {key: source.own for key, source in self.own_sources.items()}

    @property
    def own_sources(self) -> dict[int, WeightSource]:
        """The sources that have a variable of the view's own, by the same keys as `own`."""
        return {id(s.slice.source): s for s in self.structure.sources if s.own is not None}

    def recalibrate(self, data: Any, *, batch_size: int = 128) -> None:
        """Measure the view's own BatchNorm statistics anew on `data`, as `tfelastic.recalibrate` takes them."""
        recalibrate(self, data, batch_size=batch_size, statistics=self.statistics)

    def fill(self, slices: Sequence[Slice]) -> None:
        """Give the variables of another copy of the view's structure the view's present values."""
        for source, piece in zip(self.structure.sources, slices, strict=True):
            piece.variable.assign(ops.copy(source.value()))  # JAX may give a shared buffer away.

    def own_start(self, piece: Slice) -> np.ndarray:
        """Return what the view's own variable for `piece` is where the view does as the widest model does."""
        return own_start(piece, scales=self._scales)

    def _source(self, piece: Slice) -> WeightSource:
        if not has_own(piece):
            return SharedWeight(piece)
        return own_weight(self, piece, self.own_start(piece), scales=self._scales)
