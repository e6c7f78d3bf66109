"""Keras against LiteRT against TFLM on real samples: does the device compute what was trained?

For a phone LiteRT runs with its fast kernels. For TFLM it runs with TFLite's reference kernels, which are TFLM's own
to the bit, or nearly: so the score is the board's, and a difference between the two points to an operator that TFLM
computes otherwise. (XNNPACK rounds integers its own way in every layer, which moves a few per cent of the
outputs by more than a step, whatever TFLM does.)
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from tflite_export.errors import DeviceError, VerificationError
from tflite_export.keras_models import Arrays, Signature, float_outputs
from tflite_export.quantize.scheme import Tolerance, get_scheme
from tflite_export.runtimes import LiteModel, get_target, predict_all, tflm
from tflite_export.scoring import loss_of
from tflite_export.tflite import summarize
from tflite_export.verification import OutputComparison, TflmComparison, Verification

if TYPE_CHECKING:
    import keras

    from tfelastic import Metric
    from tfelastic.metrics import Kind, MetricLike

TFLM_SAMPLES = 100
"""Samples that TFLM is asked for; its plain kernels take a tenth of a second for a mid-sized net."""

FLOAT_STEPS = 255
"""A float output has no steps of its own: one step is this part of the range of LiteRT's outputs."""


def verify(
    model: "keras.Model",
    tflite: bytes,
    samples: Arrays,
    labels: Any,
    *,
    scheme: str = "int8",
    target: str = "phone",
    tolerance: Tolerance | None = None,
    metric: "MetricLike | None" = None,
) -> Verification:
    """Compare a .tflite file with the Keras model it was converted from and, for TFLM, the runtimes.

    Args:
        model: The Keras model.
        tflite: The file's bytes, as `convert` returns them: its inputs and outputs in the model's order.
        samples: Raw pixels 0..255 or real values `[count, ...]`, at least two that differ; for several inputs a
            sequence in the model's order or a dict by name.
        labels: What the model should return, as the metric takes it: for instance classes `[count]`;
            for several outputs a sequence in the model's order or a dict by name.
        scheme: The scheme of the file; it brings the default tolerance.
        target: Kind of device; for `"tflm"` LiteRT's reference kernels are scored, which a board computes, and the
            file must run in TFLM and give what they give, on the first 100 samples.
        tolerance: Bounds to use instead of the scheme's.
        metric: What to score by, a `Metric` or what `tfelastic.metric_of` takes; what that finds for the model and
            the labels unless given.

    Returns:
        The figures, and whether they are within the tolerance. A broken bound does not raise here.

    Raises:
        SchemeError: The scheme or the target is unknown.
        VerificationError: Nothing can be compared: samples and labels do not fit, an output is not
            finite, or Keras computes the same outputs for every sample.
    """
    bounds = tolerance if tolerance is not None else get_scheme(scheme).tolerance
    device, signature = get_target(target), Signature.of(model)
    chosen = metric_for(model, labels, metric)
    arrays = check_test(model, samples, labels, chosen)
    _check_shapes(tflite, signature)
    found = compare(
        float_outputs(model, arrays),
        predict_all(tflite, arrays, reference=device.tflm),
        labels,
        names=[port.name for port in signature.outputs],
        tolerance=bounds,
        metric=chosen,
        kinds=kinds_of(model),
    )
    if not device.tflm:
        return found
    return replace(found, reference=True, tflm=compare_tflm(tflite, arrays))


def metric_for(model: "keras.Model", labels: Any, metric: "MetricLike | None" = None) -> "Metric":
    """Return the metric that a model is verified by.

    Raises:
        VerificationError: The metric is unknown, or the model and the labels do not say which is right.
    """
    import tfelastic as te

    try:
        return te.metric_of(model, metric, labels=labels)
    except te.errors.DataError as cause:
        raise VerificationError(str(cause)) from cause


def check_test(
    model: "keras.Model", samples: Arrays, labels: Any, metric: "Metric"
) -> tuple[np.ndarray, ...]:
    """Check that samples and labels fit a model and its metric, without running the model.

    Returns:
        The samples, one array per input, in the model's order.

    Raises:
        VerificationError: They do not; the text names the input, or what the labels should be.
    """
    from tfelastic.metrics import FunctionMetric

    signature = Signature.of(model)
    arrays = signature.arrays(samples, error=VerificationError, what="verification samples")
    names, count = [port.name for port in signature.outputs], len(arrays[0])
    truth = _labels(labels, names, count)
    # A metric looks at labels only beside outputs; a user's own function is not called with made-up ones.
    if not isinstance(metric, FunctionMetric):
        blank = [np.zeros((count, *port.shape), np.float32) for port in signature.outputs]
        try:
            metric.value(truth, nested_outputs(blank, names))
        except ValueError as cause:
            raise VerificationError(
                f"the test data do not fit model {model.name!r}: {cause}"
            ) from cause
    return arrays


def kinds_of(model: "keras.Model") -> tuple["Kind", ...]:
    """Return what the values of each output are; nothing is known of a model that cannot be traced."""
    import tfelastic as te

    unknown: Kind = "values"
    try:
        return te.metrics.kinds_of(te.trace(model))
    except te.errors.GraphError:
        return (unknown,) * len(model.outputs)


def _check_shapes(tflite: bytes, signature: Signature) -> None:
    """Check that a file takes and gives what a model does, before anything is run."""
    summary = summarize(tflite)
    for what, ports, tensors in (
        ("takes", signature.inputs, summary.inputs),
        ("gives", signature.outputs, summary.outputs),
    ):
        expected = [(1, *port.shape) for port in ports]
        found = [tensor.shape for tensor in tensors]
        if found != expected:
            raise VerificationError(
                f"the file {what} {_shapes(found)}, model {signature.model!r} {_shapes(expected)}: it was "
                "converted from another model, or its inputs or outputs stand in another order"
            )


def _shapes(shapes: Sequence[tuple[int, ...]]) -> str:
    return ", ".join(str(list(shape)) for shape in shapes)


def compare_tflm(tflite: bytes, arrays: Sequence[np.ndarray]) -> TflmComparison:
    """Compare TFLM with LiteRT's reference kernels on the first of the samples, one array per input.

    A file that TFLM cannot run, or crashes on, gives a report that says so.
    """
    model = LiteModel(tflite, reference=True)
    encoded = model.encode([array[:TFLM_SAMPLES] for array in arrays])
    try:
        received = tflm.run(tflite, encoded)
    except DeviceError as error:
        return TflmComparison(count=0, within_one_step=0, max_steps=0, failure=str(error))
    expected = [model.run(sample) for sample in zip(*encoded, strict=True)]
    pairs = zip(map(np.stack, zip(*expected, strict=True)), received, strict=True)
    steps = np.concatenate([_steps(*pair).ravel() for pair in pairs])
    return TflmComparison(
        count=steps.size,
        within_one_step=float((steps <= 1).mean()),
        max_steps=float(steps.max()),
    )


def _steps(expected: np.ndarray, received: np.ndarray) -> np.ndarray:
    integers = np.issubdtype(expected.dtype, np.integer)
    step = 1 if integers else float(np.ptp(expected)) / FLOAT_STEPS or 1
    steps: np.ndarray = np.abs(expected.astype(np.float64) - received) / step
    return steps


def compare(
    expected: Sequence[np.ndarray],
    received: Sequence[np.ndarray],
    labels: Any,
    *,
    names: Sequence[str],
    tolerance: Tolerance,
    metric: "Metric | None" = None,
    kinds: Sequence["Kind"] | None = None,
) -> Verification:
    """Compare two models' outputs, one array `[count, ...]` each, with one another and with labels.

    Args:
        expected: Keras' outputs.
        received: The other model's.
        labels: What the model should return.
        names: The outputs' names.
        tolerance: The bounds.
        metric: What to score by; class accuracy unless given.
        kinds: What each output's values are, so that decisions are compared where the metric knows of none.

    Raises:
        VerificationError: The shapes differ, a value is not finite, or an output of `expected` does not vary.
    """
    from tfelastic.metrics import ClassAccuracy

    metric = metric or ClassAccuracy()
    unknown: Kind = "values"
    comparisons = tuple(map(_compare_output, names, expected, received))
    truth = _labels(labels, names, len(expected[0]))
    before, after = (nested_outputs(each, names) for each in (expected, received))
    try:
        agreements = [
            _agreement(metric, name, kind, *pair)
            for name, kind, *pair in zip(
                names, kinds or [unknown] * len(names), expected, received, strict=True
            )
        ]
        scores = metric.value(truth, before), metric.value(truth, after)
        unit, loss = metric.unit(truth, before), loss_of(metric, truth, before, after)
    except ValueError as cause:
        raise VerificationError(str(cause)) from cause
    return Verification(
        count=len(expected[0]),
        outputs=tuple(map(_with_agreement, comparisons, agreements)),
        score_keras=scores[0],
        score_tflite=scores[1],
        loss=loss,
        tolerance=tolerance,
        metric=metric.name,
        higher_is_better=metric.higher_is_better,
        is_share=metric.is_share,
        unit=unit,
    )


def _agreement(
    metric: "Metric", name: str, kind: "Kind", expected: np.ndarray, received: np.ndarray
) -> float | None:
    """Return the share of one output's decisions that two models have in common, as its metric decides."""
    from tfelastic.metrics import (
        BinaryAccuracy,
        ClassAccuracy,
        FunctionMetric,
        KerasMetric,
        WeightedSum,
    )

    own: Metric | None = metric
    if isinstance(metric, WeightedSum):
        own = metric.outputs[name].metric if name in metric.outputs else None
    if own is not None and not isinstance(own, FunctionMetric | KerasMetric):
        return own.agreement(expected, received)
    if kind == "distribution":
        return ClassAccuracy().agreement(expected, received)
    return BinaryAccuracy().agreement(expected, received) if kind == "fraction" else None


def _with_agreement(comparison: OutputComparison, agreement: float | None) -> OutputComparison:
    return replace(comparison, agreement=agreement)


def nested_outputs(outputs: Sequence[np.ndarray], names: Sequence[str]) -> Any:
    """Return outputs as a metric takes them: one array for one output, else a dict by name."""
    return outputs[0] if len(names) == 1 else dict(zip(names, outputs, strict=True))


def _labels(labels: Any, names: Sequence[str], count: int) -> Any:
    """Return labels as a metric takes them."""
    by_output = labels_by_output(labels, names)
    sizes = [len(each) for each in by_output]
    if any(size != count for size in sizes) or count < 2:
        raise VerificationError(
            f"verification needs at least two samples with one label each, got {count} samples and "
            f"{', '.join(map(str, sizes))} labels"
        )
    return nested_outputs(by_output, names)


def labels_by_output(labels: Any, names: Sequence[str]) -> list[np.ndarray]:
    """Return labels as one array per output."""
    if isinstance(labels, Mapping):
        if set(labels) != set(names):
            raise VerificationError(f"labels must be named {list(names)}, got {list(labels)}")
        return [np.asarray(labels[name]) for name in names]
    if len(names) == 1:
        return [np.asarray(labels)]
    if not isinstance(labels, list | tuple) or len(labels) != len(names):
        raise VerificationError(
            f"labels must be {len(names)} arrays, for {', '.join(names)}, or a dict of these names"
        )
    return [np.asarray(each) for each in labels]


def _compare_output(name: str, expected: np.ndarray, received: np.ndarray) -> OutputComparison:
    if expected.shape != received.shape:
        raise VerificationError(f"Keras returns {expected.shape}, LiteRT returns {received.shape}")
    if not (np.isfinite(expected).all() and np.isfinite(received).all()):
        raise VerificationError(
            f"output {name!r} holds NaN or infinity: the network's weights are damaged"
        )
    scale = float(expected.std())
    if (expected == expected[0]).all() or scale == 0:
        raise VerificationError(
            f"Keras computes the same output {name!r} for every sample: the network is dead, and nothing "
            "can be compared"
        )
    difference = np.abs(expected - received)
    return OutputComparison(
        name=name,
        scale=scale,
        mean_difference=float(difference.mean()) / scale,
        max_difference=float(difference.max()) / scale,
        agreement=None,
    )
