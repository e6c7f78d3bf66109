"""Quantization-aware training of an elastic network with all its rungs, at no cost to the sharing.

What int8 does to a shared kernel does not depend on the rung: every variant stores the integers
`round(127 * k / peak(k))` of each output channel `k` of the widest kernel, or a slice of them, and folding BatchNorm
changes the scales alone (`kernel_sharing.py`). So one fake quantization of the shared kernels shows all rungs, in
training, the very weights that their files will hold. The rounding passes gradients through unchanged.

Activations stay float in training; their ranges come from calibration, per variant, as always.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import keras
from keras import ops

from tflite_export.quantize.kernel_sharing import LARGEST_INT8

if TYPE_CHECKING:
    from tfelastic import ElasticModel, LayerGraph

_KERNELS = ("kernel", "depthwise_kernel", "pointwise_kernel")


class QuantizationAware(keras.Model):
    """Trains an elastic network, in place, with its shared kernels rounded to int8.

    Compile and fit it as the network itself; then recalibrate and export the network.

    Args:
        net: The elastic network.

    Examples:
        >>> aware = QuantizationAware(net)
        >>> aware.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        >>> history = aware.fit(images, labels, verbose=0)
        >>> net.recalibrate(images)
    """

    def __init__(self, net: "ElasticModel") -> None:
        super().__init__(name=f"{net.name}_aware", autocast=False)
        self.net = net
        self._kernels = dict(_kernels(net.graph))
        self.built = True

    def compile(self, optimizer: Any = "rmsprop", loss: Any = None, **options: Any) -> None:
        """Compile the training and, with the same loss, the network whose rungs it is computed for."""
        weights = options.pop("loss_weights", None)
        self.net.compile(loss=loss, loss_weights=weights, jit_compile=False)
        super().compile(optimizer, **options)

    def build(self, input_shape: Any = None) -> None:
        """Nothing is left to build."""
        self.built = True

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """Return the widest rung's outputs, computed with rounded kernels."""
        return self._rounded(lambda: self.net(inputs, training=training))

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        """Return the network's loss, computed with rounded kernels."""
        return self._rounded(lambda: self.net.compute_loss(x, y, y_pred, sample_weight, training))

    def _rounded(self, compute: Any) -> Any:
        """Run `compute` with rounded kernels, and keep what it does to the network's other variables."""
        before = {id(each): ops.convert_to_tensor(each) for each in self.net.variables}
        for kernel, axes in self._kernels.values():
            before[id(kernel)] = fake_quantize(before[id(kernel)], axes)
        pairs = [(each, before[id(each)]) for each in self.net.variables]
        with keras.StatelessScope(state_mapping=pairs) as scope:
            result = compute()
        for variable, value in pairs:
            after = scope.get_current_value(variable)
            if after is not None and after is not value:
                variable.assign(after)
        return result


def fake_quantize(kernel: Any, axes: tuple[int, ...]) -> Any:
    """Return a kernel rounded as int8 stores it; its gradient is that of the kernel itself.

    Args:
        kernel: A kernel in Keras' order of axes.
        axes: The axes along which one scale holds.
    """
    peak = ops.max(ops.abs(kernel), axis=axes, keepdims=True)
    step = ops.where(peak > 0, peak, ops.ones_like(peak)) / LARGEST_INT8
    rounded = ops.round(kernel / step) * step
    return kernel + ops.stop_gradient(rounded - kernel)


def _kernels(graph: "LayerGraph") -> Iterator[tuple[str, tuple[keras.Variable, tuple[int, ...]]]]:
    """Yield the trainable kernels by their paths, and the axes along which each has one scale."""
    for step in graph.steps:
        for name in _KERNELS:
            kernel = getattr(step.op, name, None)
            if isinstance(kernel, keras.Variable) and kernel.trainable and len(kernel.shape) > 1:
                axes = range(len(kernel.shape))
                own = _channel_axes(step.op, name, len(kernel.shape))
                yield kernel.path, (kernel, tuple(axis for axis in axes if axis not in own))


def _channel_axes(layer: Any, name: str, rank: int) -> tuple[int, ...]:
    """Return the axes of a kernel that count its output channels."""
    depthwise = (keras.layers.DepthwiseConv1D, keras.layers.DepthwiseConv2D)
    if name == "depthwise_kernel" or isinstance(layer, depthwise):
        return rank - 2, rank - 1
    transposed = (keras.layers.Conv1DTranspose, keras.layers.Conv2DTranspose)
    return (rank - 2,) if isinstance(layer, transposed) else (rank - 1,)
