"""The estimated size of a full-int8 .tflite file, before anything is converted."""

from tfelastic.plan import Selection

# What TensorFlow Lite stores beside the int8 weights, in bytes, found by taking converted files apart:
# per output channel of a convolution an int32 bias, and a float scale and an int64 zero point for kernel and bias;
# per operation its table, its output tensor's table and name; and the file's own header, metadata and signature.
_PER_CHANNEL = 28
_PER_OPERATION = 320
_PER_FILE = 3000


def tflite_bytes(selection: Selection) -> int:
    """Return the estimated size in bytes of the int8 .tflite of a graph under a plan.

    BatchNorm is counted as folded into the convolution before it. Weights that are multiplied take a byte each.
    """
    total = _PER_FILE
    for step in selection.steps:
        facts = selection.graph.facts[id(step.op)]
        for multiplied in step.multiplications:
            size, channels = 1, 0
            for axis, length in enumerate(multiplied.variable.shape):
                binding = facts.bindings.get((id(multiplied.variable), axis))
                kept = selection.count(binding.labels) if binding else length
                size *= kept
                channels = kept if binding and binding.creates else channels
            total += size + _PER_CHANNEL * channels + _PER_OPERATION
    return total
