"""The rules of the layers that CNNs are made of; importing this package registers them all."""

from tfelastic.graph.rules import (
    convolution,
    dense,
    elementwise,
    merging,
    normalization,
    shape,
    spatial,
)

__all__ = ["convolution", "dense", "elementwise", "merging", "normalization", "shape", "spatial"]
