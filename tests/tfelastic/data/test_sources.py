import os
import sys

import numpy as np
import pytest
import sklearn.datasets
from PIL import Image

from tfelastic.data import load
from tfelastic.data.resizing import resize
from tfelastic.errors import DataError


def test_digits_are_sklearns_images_halved_by_class():
    dataset = load("digits")
    assert dataset.name == "scikit-learn digits (8x8, enlarged to 32x32)"
    assert dataset.image_shape == (32, 32, 1)
    assert (len(dataset.train), len(dataset.test)) == (899, 898)
    per_class = np.bincount(dataset.train.labels) - np.bincount(dataset.test.labels)
    assert np.abs(per_class).max() <= 1


def test_digits_keep_sklearns_pixels_and_no_image_is_in_both_splits():
    dataset = load("digits", image_size=8)
    ink, labels = sklearn.datasets.load_digits(return_X_y=True)
    source = {
        (tuple(np.rint(i * 255 / 16).astype(int)), y) for i, y in zip(ink, labels, strict=True)
    }
    train, test = (
        {(tuple(x.ravel().tolist()), y) for x, y in zip(s.images, s.labels.tolist(), strict=True)}
        for s in (dataset.train, dataset.test)
    )
    assert train | test == source
    assert not train & test
    assert dataset.train.images.max() == 255


def test_the_seed_decides_the_split_and_limit_and_name_apply():
    first, again, other = (load("digits", limit=50, seed=seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first.train.images, again.train.images)
    assert not np.array_equal(first.train.images, other.train.images)
    assert not np.array_equal(first.test.labels, other.test.labels)
    assert np.bincount(first.train.labels).tolist() == [5] * 10
    assert load("digits", name="Mine").name == "Mine"


def test_shrinking_averages_areas_and_enlarging_keeps_flat_areas_flat():
    image = np.random.default_rng(0).integers(0, 256, (12, 12, 3), dtype=np.uint8)
    means = image.reshape(4, 3, 4, 3, 3).mean(axis=(1, 3))
    # Rows and columns are averaged, and rounded, one after the other.
    assert np.abs(resize(image, (4, 4)) - means).max() <= 1
    assert np.unique(resize(np.full((4, 4, 1), 7, np.uint8), (9, 9))).tolist() == [7]


@pytest.fixture
def folder(tmp_path):
    """Two classes; the pixel value tells split, class and index."""
    root = tmp_path / "fruit"
    for s, split in enumerate(("train", "test")):
        for c, name in enumerate(("apple", "pear")):
            directory = root / split / name
            directory.mkdir(parents=True)
            for i in range(3 - s):
                grey = np.full((5, 6), 100 * s + 10 * c + i, np.uint8)
                Image.fromarray(grey).save(directory / f"{i}.png")
    return root


def test_a_folder_is_read_in_the_order_of_class_and_name(folder):
    dataset = load(folder)
    assert dataset.name == "fruit"
    assert dataset.classes == ("apple", "pear")
    assert dataset.image_shape == (5, 6, 1)
    assert dataset.train.images[:, 0, 0, 0].tolist() == [0, 1, 2, 10, 11, 12]
    assert dataset.train.labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert dataset.test.images[:, 0, 0, 0].tolist() == [100, 101, 110, 111]
    assert load(os.fspath(folder), image_size=4).image_shape == (4, 4, 1)


def test_one_coloured_image_makes_all_of_a_folder_rgb(folder):
    colour = np.zeros((5, 6, 3), np.uint8)
    colour[..., 2] = 200
    Image.fromarray(colour).save(folder / "test" / "pear" / "0.png")
    dataset = load(folder)
    assert dataset.image_shape == (5, 6, 3)
    assert dataset.test.images[2, 0, 0].tolist() == [0, 0, 200]
    assert dataset.train.images[4, 0, 0].tolist() == [11, 11, 11]


def test_validation_serves_as_the_test_split(folder):
    (folder / "test").rename(folder / "validation")
    assert len(load(folder).test) == 4


def _unreadable(folder):
    (folder / "train" / "apple" / "1.png").write_bytes(b"no image")


def _truncated(folder):
    path = folder / "train" / "apple" / "1.png"
    noise = np.random.default_rng(0).integers(0, 256, (5, 6), dtype=np.uint8)
    Image.fromarray(noise).save(path)
    path.write_bytes(path.read_bytes()[:55])


def _sizes_differ(folder):
    Image.new("L", (9, 9)).save(folder / "train" / "pear" / "2.png")


def _unknown_class(folder):
    (folder / "test" / "plum").mkdir()


def _no_images(folder):
    for file in folder.glob("test/*/*.png"):
        file.unlink()


def _no_test_split(folder):
    (folder / "test").rename(folder / "spare")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_unreadable, r"cannot read the image .*1\.png"),
        (_truncated, r"cannot read the image .*1\.png"),
        (_sizes_differ, r"2 sizes.*give an image_size"),
        (_unknown_class, "the class 'plum', which .*train lacks; the classes are apple, pear"),
        (_no_images, "no images in .*test"),
        (_no_test_split, "in the folders 'train' and 'test'.*it holds spare, train"),
    ],
)
def test_a_damaged_folder_gets_an_error_that_names_the_damage(folder, damage, message):
    damage(folder)
    with pytest.raises(DataError, match=message):
        load(folder)


def test_a_missing_directory_is_not_mistaken_for_a_tfds_name(tmp_path):
    for source in (tmp_path / "absent", "runs/absent", "./absent"):
        with pytest.raises(DataError, match=r"absent does not exist.*'tfds:NAME'"):
            load(source)
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(DataError, match="is a file"):
        load(file)


@pytest.mark.parametrize("size", [0, -1, 2.5])
def test_a_bad_image_size_is_refused(size):
    with pytest.raises(DataError, match="image_size must be a positive number of pixels"):
        load("digits", image_size=size)


def test_a_missing_package_is_named_with_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(DataError, match=r"pip install \"tfelastic\[report\]\""):
        load("digits")
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", None)
    with pytest.raises(DataError, match=r"pip install \"tfelastic\[tensorflow,tfds\]\""):
        load("tfds:cifar10")
