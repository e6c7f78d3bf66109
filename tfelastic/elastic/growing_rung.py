"""`GrowingRung`: one level in training, around a block that no optimizer can reach."""

from typing import Any

import keras
import numpy as np
from keras import ops

from tfelastic.elastic.idle import build_idle
from tfelastic.elastic.model import ElasticModel
from tfelastic.elastic.strands import Own, Shared, positions_in_piece
from tfelastic.elastic.teaching import Learner, Lesson
from tfelastic.elastic.view import RungView, owned
from tfelastic.plan import Selection
from tfelastic.surgery import Slice
from tfelastic.training import Distillation, recalibrate


class GrowingRung(Learner):
    """One rung of an elastic network, trained while everything that narrower rungs use of it stays as it is.

    A kernel of the rung is put together from the narrower rung's block, which is no variable of the optimizer, and
    the re-grown slices around it, which are variables of their own. So no momentum and no weight decay, coupled or
    decoupled, can move the block, and no optimizer keeps state for it. Biases, BatchNorm shifts, the sizes of
    BatchNorm scales and running statistics are the rung's own and start from the narrower rung's.

    The network itself does not change until `settle` writes the outcome into it.

    Args:
        net: The network; its narrower rungs are trained.
        name: The rung to train.
        teacher: The original model, frozen; not asked where there is no distillation.
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
        number = net.names.index(name)
        plans = [rung.plan for rung in net.ladder.rungs]
        template, slices = build_idle(Selection(net.graph, plans[number]))
        self._bench = _Bench(net, template)
        narrower: dict[int, Slice] = {}
        if number + 1 < len(plans):
            _, below = build_idle(Selection(net.graph, plans[number + 1]))
            narrower = {id(piece.source): piece for piece in below}
            self._bench.below = net.narrow[number].own
        self._bench.strands = [
            self._strand(piece, narrower.get(id(piece.source))) for piece in slices
        ]
        self._lesson = Lesson(net.graph, distillation)
        self.built = True

    @property
    def net(self) -> ElasticModel:
        """The network that grows."""
        return self._bench.net

    @property
    def output_names(self) -> list[str]:
        """The names of the outputs, as losses and metrics for several outputs refer to them."""
        return self.net.output_names

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
        template = self._bench.template
        values = {id(strand.piece.variable): strand.value() for strand in self._bench.strands}
        outputs, updates, losses = template.stateless_call(
            [values[id(variable)] for variable in template.trainable_variables],
            [values[id(variable)] for variable in template.non_trainable_variables],
            inputs,
            training=bool(training),
            return_losses=True,
        )
        for loss in losses:
            self.add_loss(loss)
        if training:
            after = dict(zip(map(id, template.non_trainable_variables), updates, strict=True))
            for strand in self._bench.strands:
                if isinstance(strand, Own) and strand.moves:
                    strand.variable.assign(after[id(strand.piece.variable)])
        return outputs

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        """Return the labels' loss or, in training, the labels' and the teacher's, and what layers add."""
        self._lesson.rehearse(y, y_pred, sample_weight)
        if not training or self._lesson.distillation is None:
            return super().compute_loss(x, y, y_pred, sample_weight, training)
        taught = self.teacher(x, training=False)
        return sum(self.losses, self._lesson.loss(x, y, y_pred, taught, sample_weight))

    def recalibrate(self, images: np.ndarray, *, batch_size: int = 128) -> None:
        """Measure the rung's own BatchNorm statistics anew on `images`, `[count, height, width, channels]`."""
        statistics = [
            strand.variable
            for strand in self._bench.strands
            if isinstance(strand, Own) and strand.piece.role == "statistic"
        ]
        recalibrate(self, images, batch_size=batch_size, statistics=statistics)

    def settle(self) -> None:
        """Write the rung's weights into the network; what narrower rungs use of them is equal to the last bit."""
        for strand in self._bench.strands:
            strand.settle()

    def _strand(self, piece: Slice, narrower: Slice | None) -> Shared | Own:
        block = positions_in_piece(piece, narrower) if narrower else None
        if not owned(piece):
            return Shared(self, piece, block)
        start, key = piece.value(), id(piece.source)
        if block is not None:
            start = np.array(start)
            start[np.ix_(*block)] = ops.convert_to_numpy(self._bench.below[key])
        rung = self.net.rung(self.name)
        target = rung.own[key] if isinstance(rung, RungView) else piece.source
        return Own(self, piece, target, start)


class _Bench:
    """Holds what a rung in training works with where Keras does not look for layers and variables."""

    def __init__(self, net: ElasticModel, template: keras.Model) -> None:
        self.net = net
        self.template = template
        self.below: dict[int, keras.Variable] = {}
        self.strands: list[Shared | Own] = []
