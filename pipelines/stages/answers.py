"""A net's answers to the test examples: what its score follows from, and what two nets are paired by."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from tfelastic import Metric
    from tfelastic.data import Arrays, Split

#: What a metric makes of examples: whether each is right, bool `[examples]`; each one's value, whose mean is the score;
#: or each one's sums, `[examples, ...]`, whose totals give the score. Where it is none of these, outputs and labels.
RIGHT, VALUES, SUMS = "right", "values", "sums"
_OUTPUTS, _LABELS = "outputs", "labels"


@dataclass(frozen=True, eq=False)
class Answers:
    """What a net answered, as far as its metric looks at it.

    Attributes:
        metric: What the net is scored by.
        arrays: `right`, `values` or `sums`, `[examples, ...]`; or outputs and labels.
    """

    metric: "Metric"
    arrays: Mapping[str, np.ndarray]

    @classmethod
    def of(cls, metric: "Metric", labels: Any, outputs: Any) -> "Answers":
        """Return the answers that outputs `[examples, ...]` are."""
        from tfelastic.metrics import AdditiveMetric, WeightedSum

        if isinstance(metric, WeightedSum) and isinstance(outputs, list | tuple):
            outputs = dict(zip(metric.output_names, outputs, strict=True))
        if (right := metric.correct(labels, outputs)) is not None:
            return cls(metric, {RIGHT: right})
        if (values := metric.per_example(labels, outputs)) is not None:
            return cls(metric, {VALUES: values})
        if isinstance(metric, AdditiveMetric):
            return cls(metric, {SUMS: _sums(metric, labels, outputs)})
        return cls(metric, {**_flat(_LABELS, labels), **_flat(_OUTPUTS, outputs)})

    @classmethod
    def joined(cls, parts: "list[Answers]") -> "Answers":
        """Return the answers to the examples of all parts."""
        first = parts[0]
        arrays = {
            name: np.concatenate([part.arrays[name] for part in parts]) for name in first.arrays
        }
        return cls(first.metric, arrays)

    def __len__(self) -> int:
        return len(next(iter(self.arrays.values())))

    @property
    def score(self) -> float:
        """The metric's value."""
        return self.score_of(np.arange(len(self)))

    def score_of(self, rows: np.ndarray) -> float:
        """Return the metric's value over the examples at `rows`, some of which may repeat."""
        for kind in (RIGHT, VALUES):
            if kind in self.arrays:
                return float(self.arrays[kind][rows].mean())
        if SUMS in self.arrays:
            return float(self.metric.value_of(self.arrays[SUMS][rows].sum(axis=0)))  # type: ignore[attr-defined]
        chosen = {name: array[rows] for name, array in self.arrays.items()}
        return self.metric.value(_nested(_LABELS, chosen), _nested(_OUTPUTS, chosen))


def answers_of(
    model: Callable[..., Any], split: "Split", metric: "Metric", *, batch_size: int = 256
) -> Answers:
    """Return what a model answers on a split's examples."""
    import keras

    parts = []
    for inputs, labels in _batches(split, batch_size):
        outputs = keras.tree.map_structure(
            keras.ops.convert_to_numpy, model(inputs, training=False)
        )
        parts.append(Answers.of(metric, labels, outputs))
    return Answers.joined(parts)


def _batches(split: "Split", batch_size: int) -> "Iterator[tuple[Arrays, Arrays]]":
    for start in range(0, len(split), batch_size):
        part = split.take(np.arange(start, min(start + batch_size, len(split))))
        yield fed(part.inputs), part.targets


def fed(inputs: "Arrays") -> "Arrays":
    """Return inputs as a model takes them: pixels as float32."""

    def one(array: np.ndarray) -> np.ndarray:
        return array.astype("float32") if array.dtype == np.uint8 else array

    if isinstance(inputs, Mapping):
        return {name: one(array) for name, array in inputs.items()}
    return one(inputs)


def _sums(metric: Any, labels: np.ndarray, outputs: np.ndarray) -> np.ndarray:
    single = [slice(row, row + 1) for row in range(len(outputs))]
    return np.stack([metric.sums(labels[row], outputs[row]) for row in single])


def _flat(side: str, arrays: Any) -> dict[str, np.ndarray]:
    if not isinstance(arrays, Mapping):
        return {side: np.asarray(arrays)}
    return {f"{side}/{name}": np.asarray(array) for name, array in arrays.items()}


def _nested(side: str, arrays: Mapping[str, np.ndarray]) -> Any:
    if side in arrays:
        return arrays[side]
    start = f"{side}/"
    return {name.removeprefix(start): a for name, a in arrays.items() if name.startswith(start)}
