"""The rules of the layers that CNNs are made of; importing this package registers them all."""

from tfelastic.graph.rules import (
    attention,
    convolution,
    dense,
    elementwise,
    merging,
    normalization,
    recurrent,
    shape,
    spatial,
    wrapping,
)

__all__ = [
    "attention",
    "convolution",
    "dense",
    "elementwise",
    "merging",
    "normalization",
    "recurrent",
    "shape",
    "spatial",
    "wrapping",
]
