"""`prune_and_grow`: the smallest network first, then level by level around what is already trained."""

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops

from tfelastic._cost import cost
from tfelastic._plan import Ladder
from tfelastic.checkpoint import Checkpoint
from tfelastic.elastic.fit_data import as_arguments, some_samples, start_at
from tfelastic.elastic.growing_rung import GrowingRung
from tfelastic.elastic.growth import GrownLevel, Growth
from tfelastic.elastic.model import ElasticModel
from tfelastic.errors import TrainingError
from tfelastic.strategies import ladder as ladder_of
from tfelastic.surgery import copy_compile_state
from tfelastic.training import Distillation, frozen_copy

#: A fifth of the current channels goes, three times: the ladder of the paper.
PAPER_WIDTHS = (1.0, 0.8, 0.64, 0.512)

# BatchNorm statistics converge on a few batches; more samples would not move them.
_CALIBRATION_SAMPLES = 2048

_FROM_THE_ORIGINAL = Distillation(weight=0.5, temperature=2.0)


@dataclass(frozen=True, kw_only=True)
class LevelTraining:
    """How each level is trained.

    Attributes:
        epochs: How many epochs.
        compile: Compiles a level; by default each is compiled as the original is, with a fresh optimizer.
        distillation: How much a level learns from the original's outputs, the rest from the labels; `None` learns from
            the labels alone, as the paper does.
        callbacks: Keras callbacks for every level's `fit`; their `model` has the level's name, and the network that
            grows as `net`.

    Raises:
        TrainingError: `epochs` is not positive.
    """

    epochs: int = 10
    compile: Callable[[keras.Model], None] | None = None
    distillation: Distillation | None = _FROM_THE_ORIGINAL
    callbacks: Sequence[keras.callbacks.Callback] = ()

    def __post_init__(self) -> None:
        if self.epochs < 1:
            raise TrainingError(f"a level trains for at least one epoch, received {self.epochs}")


def prune_and_grow(
    model: keras.Model,
    train: Any,
    validation: Any = None,
    *,
    ladder: Ladder | None = None,
    training: LevelTraining | None = None,
    checkpoint_dir: str | Path | None = None,
    **changes: Any,
) -> ElasticModel:
    """Train a ladder's narrowest rung, then grow it level by level to the full model.

    On growing, the dropped slices of every kernel return with the original's weights, those between old and new
    channels too. What the narrower levels use of the kernels is frozen to the last bit and only the re-grown slices
    are trained, with the level's own biases, BatchNorm shifts, scales and statistics, which start from the narrower
    level's. So no level changes once it is trained. The last steps of each level are a recalibration of its
    BatchNorm statistics and an evaluation.

    Source: arXiv 2505.11569, read as `docs/elastic.md` says.

    Args:
        model: The original, trained model; it is not changed.
        train: What `fit` takes: `(images, labels)`, optionally with sample weights, or a data set. A data set with
            a method `start_at(epoch)`, such as `tfelastic.data.Batches`, is set to the epoch with which each level
            begins or goes on.
        validation: As `train`; every level is evaluated on it. `None` leaves that out.
        ladder: The levels. By default a fifth of the channels is pruned three times, ranked anew by magnitude each
            time.
        training: How each level is trained; `LevelTraining()` unless given.
        checkpoint_dir: Where the state is saved after every epoch, a file per level; the same call then goes on
            where it was stopped. `None` saves nothing.
        **changes: Fields of `LevelTraining`, instead of or on top of `training`.

    Returns:
        The elastic network. Its `growth` reports every level.

    Raises:
        TrainingError: The model is not compiled and `training` does not say how.
        CheckpointError: `checkpoint_dir` holds another run, or a damaged file.
        PlanError: The ladder was made for another model.

    Examples:
        >>> import keras, numpy as np, tfelastic as te
        >>> model = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Conv2D(8, 3), keras.layers.ReLU(),
        ...                           keras.layers.Flatten(), keras.layers.Dense(2)])
        >>> model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        >>> data = np.zeros((8, 4, 4, 1)), np.zeros(8)
        >>> net = te.prune_and_grow(model, data, ladder=te.ladder(model, widths=(1, 0.5)),
        ...                         epochs=1)
        >>> [level.name for level in net.growth.levels]
        ['w050', 'w100']
    """
    training = replace(training or LevelTraining(), **changes)
    if ladder is None:
        ladder = ladder_of(model, widths=PAPER_WIDTHS, iterative=True)
    net = ElasticModel(model, ladder, scales="own")
    grower = _Grower(net, model, training)
    settings = {
        "ladder": ladder.to_json(),
        "epochs": training.epochs,
        "distillation": asdict(training.distillation) if training.distillation else None,
        "model": _digest(model),
    }
    folder = Path(checkpoint_dir) if checkpoint_dir is not None else None
    levels = []
    for name in reversed(net.names):
        checkpoint = Checkpoint(folder / f"{name}.npz", settings) if folder else None
        levels.append(grower.grow(name, (train, validation), checkpoint))
    net.growth = Growth(tuple(levels))
    return net


@dataclass
class _Progress:
    """How far a level's training has come.

    Attributes:
        history: The figures of every epoch that has ended.
        seconds: How long they took.
        validation: The figures on the validation data, once the level is finished.
        finished: Whether nothing is left to do.
    """

    history: list[dict[str, float]] = field(default_factory=list)
    seconds: float = 0.0
    validation: dict[str, float] | None = None
    finished: bool = False

    @classmethod
    def restored(cls, checkpoint: Checkpoint | None, rung: GrowingRung) -> "_Progress":
        """Carry a checkpoint over into a compiled level and return its progress; none where there is no file."""
        record = checkpoint.restore(rung.training_state) if checkpoint else None
        return cls() if record is None else cls(**record)

    def save(self, checkpoint: Checkpoint | None, rung: GrowingRung) -> None:
        """Save the level's state and its progress."""
        if checkpoint is not None:
            checkpoint.save(vars(self), rung.training_state)


class _Grower:
    """Trains one level after the other."""

    def __init__(self, net: ElasticModel, model: keras.Model, training: LevelTraining) -> None:
        if training.compile is None and not getattr(model, "compiled", False):
            raise TrainingError(
                f"model {model.name!r} is not compiled, so its levels would have no loss; call model.compile(...) "
                "first, or say how in LevelTraining(compile=...)"
            )
        self._net = net
        self._training = training
        self._compile = training.compile or (lambda level: copy_compile_state(model, level))
        self._teacher = frozen_copy(model)

    def grow(self, name: str, data: tuple[Any, Any], checkpoint: Checkpoint | None) -> GrownLevel:
        """Train one level, or go on with it, write it into the network, and report it."""
        wanted = self._training
        rung = GrowingRung(self._net, name, teacher=self._teacher, distillation=wanted.distillation)
        self._compile(rung)
        progress = _Progress.restored(checkpoint, rung)
        if not progress.finished:
            train, validation = data
            after_each = _AfterEachEpoch(checkpoint, progress)
            _train(rung, train, wanted.epochs, [*wanted.callbacks, after_each])
            rung.recalibrate(some_samples(train, count=_CALIBRATION_SAMPLES))
            if validation is not None:
                figures = rung.evaluate(**as_arguments(validation), verbose=0, return_dict=True)
                progress.validation = {key: float(value) for key, value in figures.items()}
            progress.finished = True
            progress.save(checkpoint, rung)
        rung.write()
        return self._report(rung, progress)

    def _report(self, rung: GrowingRung, progress: _Progress) -> GrownLevel:
        of_ladder = self._net.ladder.rung(rung.name)
        spent = cost(self._net.graph, of_ladder.plan)
        return GrownLevel(
            name=rung.name,
            width=of_ladder.width,
            params=spent.params,
            macs=spent.macs,
            trained_params=sum(int(np.prod(v.shape)) for v in rung.trainable_variables),
            seconds=round(progress.seconds, 3),
            history=tuple(progress.history),
            validation=progress.validation,
        )


def _train(
    rung: GrowingRung,
    data: Any,
    epochs: int,
    callbacks: list[keras.callbacks.Callback],
) -> None:
    """Train a level up to `epochs`, going on after those that it has behind it."""
    (after_each,) = (each for each in callbacks if isinstance(each, _AfterEachEpoch))
    done = len(after_each.progress.history)
    if done >= epochs:
        return
    start_at(data, done)
    rung.fit(
        **as_arguments(data),
        epochs=epochs,
        initial_epoch=done,
        # The order of a data set's batches is its own affair.
        shuffle=isinstance(data, tuple),
        verbose=0,
        callbacks=callbacks,
    )


class _AfterEachEpoch(keras.callbacks.Callback):
    """Keeps the history and saves the state."""

    def __init__(self, checkpoint: Checkpoint | None, progress: _Progress) -> None:
        super().__init__()
        self.progress = progress
        self._checkpoint = checkpoint

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._start = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self.progress.history.append({key: float(value) for key, value in (logs or {}).items()})
        self.progress.seconds += time.perf_counter() - self._start
        self.progress.save(self._checkpoint, self.model)


def _digest(model: keras.Model) -> str:
    """Return a hash of a model's weights."""
    digest = hashlib.sha256()
    for weight in model.weights:
        digest.update(np.ascontiguousarray(ops.convert_to_numpy(weight)).tobytes())
    return digest.hexdigest()[:16]
