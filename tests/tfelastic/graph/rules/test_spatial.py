"""Layers that work on each channel's image alone, by law 2, in both data formats."""

import numpy as np
import pytest
from keras import layers, ops

import tfelastic as te
from tests.support.pruning_checks import assert_law2, net, some_plan
from tests.support.weights import randomize

IMAGES = {
    "max_pooling": lambda **f: layers.MaxPooling2D(2, **f),
    "average_pooling": lambda **f: layers.AveragePooling2D(2, padding="same", **f),
    "adaptive_average": lambda **f: layers.AdaptiveAveragePooling2D(2, **f),
    "adaptive_max": lambda **f: layers.AdaptiveMaxPooling2D(3, **f),
    "global_average": lambda **f: layers.GlobalAveragePooling2D(**f),
    "global_average_kept": lambda **f: layers.GlobalAveragePooling2D(keepdims=True, **f),
    "global_max": lambda **f: layers.GlobalMaxPooling2D(**f),
    "zero_padding": lambda **f: layers.ZeroPadding2D(((1, 2), (0, 1)), **f),
    "cropping": lambda **f: layers.Cropping2D(((1, 0), (0, 1)), **f),
    "up_sampling": lambda **f: layers.UpSampling2D(2, **f),
    "up_sampling_bilinear": lambda **f: layers.UpSampling2D(2, interpolation="bilinear", **f),
    "resizing": lambda **f: layers.Resizing(3, 4, **f),
    "center_crop": lambda **f: layers.CenterCrop(3, 3, **f),
}

SEQUENCES = {
    "max_pooling": layers.MaxPooling1D(2),
    "average_pooling": layers.AveragePooling1D(2),
    "global_average": layers.GlobalAveragePooling1D(),
    "zero_padding": layers.ZeroPadding1D(2),
    "cropping": layers.Cropping1D(1),
    "up_sampling": layers.UpSampling1D(2),
    "dropout": layers.SpatialDropout1D(0.5),
}

VOLUMES = {
    "max_pooling": layers.MaxPooling3D(2),
    "average_pooling": layers.AveragePooling3D(2),
    "global_max": layers.GlobalMaxPooling3D(),
    "zero_padding": layers.ZeroPadding3D(1),
    "cropping": layers.Cropping3D(1),
    "up_sampling": layers.UpSampling3D(2),
}

OPERATIONS = {
    "max_pool": lambda x: ops.max_pool(x, 2, padding="same"),
    "average_pool": lambda x: ops.average_pool(x, 2, strides=1),
    "resize": lambda x: ops.image.resize(x, (7, 3), interpolation="nearest"),
}


@pytest.mark.parametrize("name", IMAGES)
def test_images(name: str) -> None:
    assert_law2(net(IMAGES[name]()))


@pytest.mark.parametrize("name", SEQUENCES)
def test_sequences(name: str) -> None:
    assert_law2(net(SEQUENCES[name], rank=1))


@pytest.mark.parametrize("name", VOLUMES)
def test_volumes(name: str) -> None:
    assert_law2(net(VOLUMES[name], rank=3, size=5))


@pytest.mark.parametrize("name", OPERATIONS)
def test_operations(name: str) -> None:
    assert_law2(net(OPERATIONS[name]))


@pytest.mark.parametrize("name", IMAGES)
def test_channels_first_is_cut_like_channels_last(name: str) -> None:
    """Not every backend computes channels first on every device, so graphs and weights are compared."""
    last = randomize(net(IMAGES[name]()))
    first = net(IMAGES[name](data_format="channels_first"), data_format="channels_first")
    first.set_weights(last.get_weights())
    graphs = te.trace(last), te.trace(first)
    groups = [[(g.name, g.size, g.frozen) for g in graph.groups] for graph in graphs]
    assert groups[0] == groups[1]
    keep = some_plan(graphs[0]).keep
    cut_last, cut_first = (te.prune(g, te.KeepPlan(g.fingerprint, keep)) for g in graphs)
    for one, other in zip(cut_last.get_weights(), cut_first.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert (
        te.cost(cut_last).macs == te.cost(graphs[1], te.KeepPlan(graphs[1].fingerprint, keep)).macs
    )
