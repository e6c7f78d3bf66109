"""Quantization-aware training on tensorflow-model-optimization: the one door to it and to tf_keras.

tensorflow-model-optimization knows the Keras of before version 3 alone, and importing it sets that for
the whole process. So this module is run as a program of its own by `quantize/qat.py`, which describes the
network in a folder: `twin.json` (layers and how they are connected), `weights.npz` and `samples.npy`. Here a
twin of the network is built from tf_keras layers, taught with fake quantization to answer as it did without,
and converted. `model.tflite` and `tuned.npz` go back.
"""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np

_CONVOLUTION = ("kernel_size", "strides", "padding", "dilation_rate", "activation", "use_bias")
_POOLING = ("pool_size", "strides", "padding")

LAYERS: dict[str, tuple[str, ...]] = {
    "Activation": ("activation",),
    "Add": (),
    "AveragePooling2D": _POOLING,
    "BatchNormalization": ("axis", "momentum", "epsilon", "center", "scale"),
    "Concatenate": ("axis",),
    "Conv2D": ("filters", "groups", *_CONVOLUTION),
    "Dense": ("units", "activation", "use_bias"),
    "DepthwiseConv2D": ("depth_multiplier", *_CONVOLUTION),
    "Dropout": ("rate",),
    "Flatten": (),
    "GlobalAveragePooling2D": ("keepdims",),
    "MaxPooling2D": _POOLING,
    "ReLU": ("max_value", "negative_slope", "threshold"),
    "Rescaling": ("scale", "offset"),
    "Reshape": ("target_shape",),
    "ZeroPadding2D": ("padding",),
}
"""The layers that the twin can express, and which of their settings it takes over."""

ACTIVATIONS = ("linear", "relu", "softmax")

RAW_PIXELS = (0.0, 255.0)

CALIBRATION_BATCH = 64


def main(folder: Path) -> None:
    """Build the twin that a folder describes, tune it, and write what came of it into the folder."""
    # Before the first import of tensorflow.
    os.environ["TF_USE_LEGACY_KERAS"] = "1"
    import tensorflow as tf
    import tf_keras

    description = json.loads((folder / "twin.json").read_text())
    tf_keras.utils.set_random_seed(description["seed"])
    samples = np.load(folder / "samples.npy").astype(np.float32)
    with np.load(folder / "weights.npz") as weights:
        twin = _twin(tf_keras, description, weights)
    aware = _aware(twin)
    _calibrate(aware, _ranges(tf_keras, twin, samples))
    aware.compile(tf_keras.optimizers.Adam(description["learning_rate"]), "mse")
    aware.fit(
        samples,
        twin.predict(samples, batch_size=description["batch_size"], verbose=0),
        batch_size=description["batch_size"],
        epochs=description["epochs"],
        verbose=0,
    )
    tuned: dict[str, Any] = _weights(aware, twin, description)
    np.savez(folder / "tuned.npz", **tuned)
    (folder / "model.tflite").write_bytes(_convert(tf, aware, samples.shape[1:]))


def _twin(tf_keras: Any, description: dict[str, Any], weights: Any) -> Any:
    image = tf_keras.Input(description["image_shape"])
    values = {description["input"]: image}
    for step in description["steps"]:
        layer = _layer(tf_keras, step, image.shape[-1])
        inputs = [values[number] for number in step["inputs"]]
        values[step["output"]] = layer(inputs if len(inputs) > 1 else inputs[0])
        if step["layer"] == "Rescaling":
            layer.set_weights(_rescaling(step["config"], image.shape[-1]))
        elif step["weights"]:
            layer.set_weights([weights[f"{step['name']}/{i}"] for i in range(step["weights"])])
    return tf_keras.Model(image, values[description["output"]])


def _layer(tf_keras: Any, step: dict[str, Any], channels: int) -> Any:
    if step["layer"] == "Rescaling":
        # One operation of integers, where a multiplication and an addition would be two roundings.
        return tf_keras.layers.DepthwiseConv2D(1, trainable=False, name=step["name"])
    # Statistics were measured; a few steps on a few samples would only blur them.
    trainable = step["trainable"] and step["layer"] != "BatchNormalization"
    return getattr(tf_keras.layers, step["layer"])(
        **step["config"], trainable=trainable, name=step["name"]
    )


def _rescaling(config: dict[str, Any], channels: int) -> list[np.ndarray]:
    scale, offset = (
        np.broadcast_to(np.asarray(config[key], np.float32), (channels,))
        for key in ("scale", "offset")
    )
    return [scale.reshape(1, 1, channels, 1), offset]


def _aware(twin: Any) -> Any:
    """Return the twin with fake quantization, its input fixed to raw pixels."""
    from tensorflow_model_optimization.python.core.quantization.keras import quantize, quantizers

    with quantize.quantize_scope():
        aware = quantize.quantize_model(twin)
        config = aware.get_config()
        for layer in config["layers"]:
            if layer["class_name"].endswith("QuantizeLayer"):
                low, high = RAW_PIXELS
                fixed = quantizers.FixedQuantizer(
                    num_bits=8, init_min=low, init_max=high, narrow_range=False
                )
                layer["config"]["quantizer"] = {
                    "class_name": "FixedQuantizer",
                    "config": fixed.get_config(),
                }
        fresh = type(aware).from_config(config)
    for old, new in zip(aware.layers, fresh.layers, strict=True):
        # A fixed range has no variables.
        if not type(new).__name__.endswith("QuantizeLayer"):
            new.set_weights(old.get_weights())
    return fresh


def _ranges(
    tf_keras: Any, twin: Any, samples: np.ndarray
) -> dict[str, tuple[np.floating[Any], np.floating[Any]]]:
    """Return the smallest and the largest output of each layer of the twin."""
    layers = twin.layers[1:]
    outputs = tf_keras.Model(twin.input, [layer.output for layer in layers])
    lows, highs = [], []
    for start in range(0, len(samples), CALIBRATION_BATCH):
        values = outputs.predict_on_batch(samples[start : start + CALIBRATION_BATCH])
        lows.append([value.min() for value in values])
        highs.append([value.max() for value in values])
    low, high = np.min(lows, axis=0), np.max(highs, axis=0)
    return {layer.name: (low[i], high[i]) for i, layer in enumerate(layers)}


def _calibrate(aware: Any, ranges: dict[str, tuple[Any, Any]]) -> None:
    """Start the ranges of activations where they are; left to themselves they take thousands of steps."""
    for wrapper in aware.layers:
        # 0 must be a number of its own: padding is made of it.
        low, high = ranges.get(wrapper.name.removeprefix("quant_"), (0, 0))
        for variable in wrapper.weights if low < high else ():
            if _bare(variable) in ("post_activation_min", "output_min"):
                variable.assign(min(low, 0))
            elif _bare(variable) in ("post_activation_max", "output_max"):
                variable.assign(max(high, 0))


def _weights(aware: Any, twin: Any, description: dict[str, Any]) -> dict[str, np.ndarray]:
    found = {}
    for step in description["steps"]:
        name = step["name"]
        if step["weights"] and step["layer"] != "Rescaling":
            tuned = {_bare(each): each.numpy() for each in aware.get_layer(f"quant_{name}").weights}
            for position, variable in enumerate(twin.get_layer(name).weights):
                found[f"{name}/{position}"] = tuned[_bare(variable)]
    return found


def _bare(variable: Any) -> str:
    """Return a variable's name without its layer's: `conv/kernel:0` is `kernel`."""
    name: str = variable.name
    return name.rpartition("/")[-1].partition(":")[0]


def _convert(tf: Any, aware: Any, image_shape: tuple[int, ...]) -> bytes:
    @tf.function(input_signature=[tf.TensorSpec((1, *image_shape), tf.float32, name="image")])
    def serve(image: Any) -> Any:
        return aware(image, training=False)

    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [serve.get_concrete_function()], aware
    )
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    tflite: bytes = converter.convert()
    return tflite
