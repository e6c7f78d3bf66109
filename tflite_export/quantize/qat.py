"""Quantization-aware training of one network, without labels: it learns to answer in int8 as it did in float.

The work is done by tensorflow-model-optimization in a process of its own (`legacy_keras`). This module describes a
Keras 3 network to it and carries the tuned weights back.

The tuned kernels are the variant's own. They are no slices of the widest variant's any more, so a bundle stores the
variant whole, and `Sharing` says so.
"""

import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tflite_export.child_process import run_python
from tflite_export.errors import ConversionError, SchemeError
from tflite_export.quantize.legacy_keras import ACTIVATIONS, LAYERS

if TYPE_CHECKING:
    import keras

    from tfelastic.graph import Step

_CHILD = (
    "import sys; from pathlib import Path; "
    "from tflite_export.quantize.legacy_keras import main; main(Path(sys.argv[1]))"
)

TUNING_COUNT = 4096
"""Samples to tune on when the caller offers more."""

# BatchNorm can be folded where it follows one of these.
FOLDABLE = ("Conv2D", "DepthwiseConv2D", "Dense")


@dataclass(frozen=True, kw_only=True)
class Tuning:
    """How long and how fast a network is tuned.

    Attributes:
        epochs: Passes over the samples.
        learning_rate: Adam's; a tenth of what trains a net from scratch.
        batch_size: Samples per step.
    """

    epochs: int = 2
    learning_rate: float = 1e-4
    batch_size: int = 32

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if not value > 0:
                raise SchemeError(f"tuning's {name} must be more than 0, got {value!r}")


def tune(
    model: "keras.Model", samples: np.ndarray, *, tuning: Tuning | None = None, seed: int = 0
) -> tuple["keras.Model", bytes]:
    """Tune a copy of a network for int8, with its own float outputs as the goal.

    Args:
        model: The network; it is not changed.
        samples: Raw pixels 0..255, `[count, height, width, channels]`.
        tuning: How long and how fast.
        seed: Decides the order of the samples.

    Returns:
        The network with the tuned weights, and its int8 .tflite.

    Raises:
        ConversionError: The network has a layer that the twin cannot express; the text names it. Or tuning failed.
    """
    import keras

    tuned = keras.models.clone_model(model)
    tuned.set_weights(model.get_weights())
    twin = _Twin(tuned)
    description = {**twin.description, **asdict(tuning or Tuning()), "seed": seed}
    with tempfile.TemporaryDirectory(prefix="tfelastic-") as name:
        folder = Path(name)
        (folder / "twin.json").write_text(json.dumps(description), encoding="utf-8")
        np.save(folder / "samples.npy", samples)
        weights: dict[str, Any] = twin.weights()
        np.savez(folder / "weights.npz", **weights)
        _run(folder, model.name)
        with np.load(folder / "tuned.npz") as back:
            twin.take(back)
        return tuned, (folder / "model.tflite").read_bytes()


def describe(model: "keras.Model") -> dict[str, Any]:
    """Return how the layers of a network are connected, as plain data.

    Raises:
        ConversionError: The network has a layer that the twin cannot express; the text names it.
    """
    return _Twin(model).description


class _Twin:
    """Describes a network to `legacy_keras`.

    Attributes:
        description: The layers and how they are connected, as plain data.
    """

    def __init__(self, model: "keras.Model") -> None:
        from tfelastic import trace

        self._model = model
        self._layers: dict[str, Any] = {}
        self._makers: dict[int, str] = {}
        self._steps: list[dict[str, Any]] = []
        output = trace(model).run([0], self._step)
        self.description = {
            "image_shape": list(model.inputs[0].shape[1:]),
            "input": 0,
            "output": output,
            "steps": self._steps,
        }

    def weights(self) -> dict[str, np.ndarray]:
        """Return the layers' weights by `name/position`."""
        return {
            f"{name}/{position}": value
            for name, layer in self._layers.items()
            for position, value in enumerate(layer.get_weights())
        }

    def take(self, weights: Mapping[str, np.ndarray]) -> None:
        """Give the layers the weights that came back."""
        for name, layer in self._layers.items():
            if layer.weights and type(layer).__name__ != "Rescaling":
                layer.set_weights([weights[f"{name}/{i}"] for i in range(len(layer.weights))])

    def _step(self, step: "Step", args: tuple[Any, ...], kwargs: dict[str, Any]) -> int:
        import keras

        inputs = [value for value in keras.tree.flatten(args) if isinstance(value, int)]
        layer, kind, output = step.op, type(step.op).__name__, len(self._steps) + 1
        self._check(layer, kind, inputs)
        config = layer.get_config()
        settings = {key: config[key] for key in LAYERS[kind] if key in config}
        entry = {"layer": kind, "name": layer.name, "config": settings, "inputs": inputs}
        entry |= {
            "output": output,
            "weights": len(layer.weights),
            "trainable": layer.trainable,
        }
        self._steps.append(entry)
        self._layers[layer.name], self._makers[output] = layer, kind
        return output

    def _check(self, layer: Any, kind: str, inputs: list[int]) -> None:
        reason = None
        if kind not in LAYERS:
            reason = f"it is known for {', '.join(LAYERS)}"
        elif layer.name in self._layers:
            reason = "two calls of one layer, or two layers of one name, cannot be told apart"
        elif kind == "BatchNormalization" and self._makers.get(inputs[0]) not in FOLDABLE:
            reason = f"it cannot be folded: it does not follow one of {', '.join(FOLDABLE)}"
        elif (activation := layer.get_config().get("activation", "linear")) not in ACTIVATIONS:
            reason = f"of activations it is known for {', '.join(ACTIVATIONS)}, not {activation!r}"
        if reason:
            raise ConversionError(
                f"quantization-aware training cannot express layer {layer.name!r} ({kind}) of model "
                f"{self._model.name!r}: {reason}; use scheme 'int8'"
            )


def _run(folder: Path, name: str) -> None:
    # TensorFlow 2.21 with oneDNN corrupts its memory when it trains fake-quantized convolutions of few channels.
    environment = {**os.environ, "TF_ENABLE_ONEDNN_OPTS": "0"}
    ended = run_python(_CHILD, [str(folder)], environment=environment)
    if ended.failure:
        raise ConversionError(
            f"quantization-aware training of model {name!r} {ended.failure} (signal 9, SIGKILL, mostly means "
            "that memory ran out)"
        )
