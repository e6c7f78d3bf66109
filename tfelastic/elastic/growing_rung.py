"""`GrowingRung`: one level in training, around a block that no optimizer can reach."""

from typing import Any

import keras
import numpy as np
from keras import ops

from tfelastic._plan import Selection
from tfelastic.elastic.model import ElasticModel
from tfelastic.elastic.structure import RungStructure, measure_frozen_statistics
from tfelastic.elastic.untracked import Untracked
from tfelastic.elastic.view import RungView
from tfelastic.elastic.weight_source import (
    PartlyFrozenWeight,
    WeightSource,
    has_own,
    own_weight,
    positions_in_slice,
)
from tfelastic.graph import LayerGraph
from tfelastic.surgery import Slice, build_abstract
from tfelastic.training import Distillation, DistillationLoss, DistilledModel, recalibrate


class GrowingRung(DistilledModel):
    """One rung of an elastic network, trained while everything that narrower rungs use of it stays as it is.

    A kernel of the rung is put together from the narrower rung's block, which is no variable of the optimizer, and
    the re-grown slices around it, which are variables of their own. So no momentum and no weight decay, coupled or
    decoupled, can move the block, and no optimizer keeps state for it. Biases, BatchNorm shifts, the sizes of
    BatchNorm scales and running statistics are the rung's own and start from the narrower rung's.

    The network itself does not change until `write` carries the outcome over into it.

    Args:
        net: The network; its narrower rungs are trained.
        name: The rung to train.
        teacher: The original model, frozen; not run where there is no distillation.
        distillation: How much is learned from the teacher's outputs; `None` learns from the labels alone.
    """

    def __init__(
        self,
        net: ElasticModel,
        name: str,
        *,
        teacher: keras.Model,
        distillation: Distillation | None,
    ) -> None:
        super().__init__(name=name, autocast=False)
        self.teacher = teacher
        self._net = Untracked(net)
        number = net.names.index(name)
        plans = [rung.plan for rung in net.ladder.rungs]
        model, slices = build_abstract(Selection(net.graph, plans[number]))
        frozen: set[int] = set()
        if number == 0:
            frozen = _frozen_variables(net.graph)
        else:
            measure_frozen_statistics(model, slices)
        narrower: dict[int, Slice] = {}
        below: dict[int, keras.Variable] = {}
        if number + 1 < len(plans):
            _, narrower_slices = build_abstract(Selection(net.graph, plans[number + 1]))
            narrower = {id(piece.source): piece for piece in narrower_slices}
            below = net.narrow[number].own
        sources = [
            self._source(
                piece,
                narrower.get(id(piece.source)),
                None if id(piece.source) in frozen else below.get(id(piece.source)),
            )
            for piece in slices
        ]
        self._structure = Untracked(RungStructure(model, sources))
        self._distillation_loss = DistillationLoss(net.graph, distillation)
        self.built = True

    @property
    def net(self) -> ElasticModel:
        """The network that grows."""
        return self._net.value

    @property
    def structure(self) -> RungStructure:
        """The rung's layers, and where their weights come from."""
        return self._structure.value

    @property
    def state(self) -> list[keras.Variable]:
        """All variables but the teacher's."""
        others = set(map(id, self.teacher.variables))
        return [variable for variable in self.variables if id(variable) not in others]

    @property
    def training_state(self) -> list[Any]:
        """All that changes in training; metrics start anew with each epoch and are left out."""
        if not self.optimizer.built:
            self.optimizer.build(self.trainable_variables)
        return [*self.state, *self.optimizer.variables]

    def build(self, input_shape: Any = None) -> None:
        """Nothing is left to build."""
        self.built = True

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """Return what the rung returns for `inputs`."""
        run = self.structure.run(inputs, training=bool(training))
        for loss in run.losses:
            self.add_loss(loss)
        if training:
            for variable, value in zip(self.structure.updated, run.updates, strict=True):
                variable.assign(value)
        return run.outputs

    def recalibrate(self, data: Any, *, batch_size: int = 128) -> None:
        """Measure the rung's own BatchNorm statistics anew on `data`, as `tfelastic.recalibrate` takes them."""
        recalibrate(self, data, batch_size=batch_size, statistics=self.structure.statistics)

    def write(self) -> None:
        """Write the rung's weights into the network; what narrower rungs use of them is equal to the last bit."""
        rung = self.net.rung(self.name)
        for source in self.structure.sources:
            if isinstance(source, PartlyFrozenWeight):
                source.write()
            elif isinstance(rung, RungView):
                rung.own[id(source.slice.source)].assign(source.own)
            else:
                source.slice.source.assign(source.value())

    def _source(
        self, piece: Slice, narrower: Slice | None, below: keras.Variable | None
    ) -> WeightSource:
        block = positions_in_slice(piece, narrower) if narrower else None
        if not has_own(piece):
            return PartlyFrozenWeight(self, piece, block)
        start = np.array(piece.value())
        if block is not None and below is not None:
            start[np.ix_(*block)] = ops.convert_to_numpy(below)
        if piece.role == "scale":
            start = np.abs(start)
        return own_weight(self, piece, start, scales="own")


def _frozen_variables(graph: LayerGraph) -> set[int]:
    """Return the `id`s of the variables of frozen layers, which the full network keeps as they are."""
    frozen = (step.op for step in graph.steps if not getattr(step.op, "trainable", True))
    return {id(variable) for layer in frozen for variable in layer.variables}
