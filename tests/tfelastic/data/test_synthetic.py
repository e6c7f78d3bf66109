"""Generated data hold what they claim: classes that simple features tell apart, and nothing that leaks them."""

import numpy as np
import pytest
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier

from tfelastic.data import load
from tfelastic.data.synthetic import GENERATORS
from tfelastic.errors import DataError


@pytest.mark.parametrize("name", GENERATORS.names())
def test_the_seed_fixes_every_value(name):
    dataset = load(f"synthetic:{name}")
    assert (len(dataset.train), len(dataset.test)) == (1200, 400)
    assert dataset.sha256 == load(f"synthetic:{name}").sha256
    assert dataset.sha256 != load(f"synthetic:{name}", seed=1).sha256
    assert dataset.name == f"synthetic {name}"


def accuracy(model, features, dataset):
    train, test = (features(split) for split in (dataset.train, dataset.test))
    return model.fit(train, dataset.train.targets).score(test, dataset.test.targets)


def flat(array):
    return array.reshape(len(array), -1)


def spectrum(windows):
    """Energies of the three principal axes by frequency: what turning the watch does not change."""
    moving = windows - windows.mean(axis=1, keepdims=True)
    _, _, axes = np.linalg.svd(moving, full_matrices=False)
    return np.log(abs(np.fft.rfft(moving @ axes.transpose(0, 2, 1), axis=1))[:, 1:32] + 1e-3)


def test_keywords_are_told_apart_by_their_features():
    dataset = load("synthetic:keywords")
    linear = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")
    assert accuracy(linear, lambda s: flat(s.inputs), dataset) > 0.9


def test_gestures_are_told_apart_however_the_watch_sits():
    dataset = load("synthetic:gestures")
    neighbours = KNeighborsClassifier(5)
    assert accuracy(neighbours, lambda s: flat(spectrum(s.inputs)), dataset) > 0.9
    means = accuracy(LogisticRegression(), lambda s: s.inputs.mean(axis=1), dataset)
    assert means < 0.5  # Gravity's direction says nothing.


def test_strength_is_the_peak_acceleration_beyond_gravity():
    dataset = load("synthetic:gestures_and_strength")
    moving = dataset.train.inputs - dataset.train.inputs.mean(axis=1, keepdims=True)
    peak = np.linalg.norm(moving, axis=-1).max(axis=1)
    assert np.corrcoef(peak, dataset.train.targets["strength"][:, 0])[0, 1] > 0.9


def test_a_pair_needs_both_inputs():
    dataset = load("synthetic:gestures_and_sound")
    linear = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")
    both = accuracy(
        linear,
        lambda s: np.hstack([flat(spectrum(s.inputs["motion"])), flat(s.inputs["sound"])]),
        dataset,
    )
    sound = accuracy(linear, lambda s: flat(s.inputs["sound"]), dataset)
    assert both > 0.9
    assert sound < 0.6


def test_shapes_are_drawn_where_their_masks_say():
    split = load("synthetic:shapes").train
    brightness = split.images.mean(axis=-1)
    assert brightness[split.targets > 0].mean() > 2 * brightness[split.targets == 0].mean()
    assert set(np.unique(split.targets)) == {0, 1, 2, 3}


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(DataError, match="gestures"):
        load("synthetic:words")
    with pytest.raises(DataError, match="image_size does not apply"):
        load("synthetic:gestures", image_size=8)
