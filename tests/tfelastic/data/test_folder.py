"""Folders of images as people have them: hidden files, odd modes, masks, and mistakes."""

import os
import shutil

import numpy as np
import pytest
from PIL import Image

from tfelastic.data import load
from tfelastic.errors import DataError


def save(array, path, mode=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(array), mode).save(path)
    return path


@pytest.fixture
def folder(tmp_path):
    """Two classes of two grey images in each split."""
    for split in ("train", "test"):
        for label, name in enumerate(("apple", "pear")):
            for number in range(2):
                grey = np.full((4, 6), 50 * label + number, np.uint8)
                save(grey, tmp_path / "fruit" / split / name / f"{number}.png")
    return tmp_path / "fruit"


def first_image(folder):
    return load(folder).train.images[0]


@pytest.mark.parametrize("name", [".ipynb_checkpoints", "__MACOSX", ".git"])
def test_hidden_folders_are_no_classes_and_hidden_files_no_images(folder, name):
    save(np.zeros((9, 9), np.uint8), folder / "train" / name / "0.png")
    (folder / "train" / "apple" / "._0.png").write_bytes(b"resource fork")
    dataset = load(folder)
    assert dataset.classes == ("apple", "pear")
    assert len(dataset.train) == 4


def test_exif_rotation_is_honoured(folder):
    picture = Image.fromarray(np.arange(24, dtype=np.uint8).reshape(6, 4))
    exif = picture.getexif()
    exif[274] = 6  # Turned by 90 degrees.
    picture.save(folder / "train" / "apple" / "0.png", exif=exif)
    expected = np.rot90(np.arange(24).reshape(6, 4), -1)
    np.testing.assert_array_equal(first_image(folder)[..., 0], expected)


def test_sixteen_bits_are_mapped_to_eight_and_not_clipped(folder):
    levels = np.linspace(0, 65535, 24).astype(np.uint16).reshape(4, 6)
    Image.fromarray(levels).save(folder / "train" / "apple" / "0.png")
    found = first_image(folder)[..., 0]
    assert np.abs(found - levels / 257).max() <= 0.5
    assert (found.min(), found.max()) == (0, 255)


def test_opaque_alpha_is_dropped_and_a_palette_becomes_colours(folder):
    grey = np.arange(24, dtype=np.uint8).reshape(4, 6)
    with_alpha = np.stack([grey, np.full_like(grey, 255)], axis=-1)
    save(with_alpha, folder / "train" / "apple" / "0.png")
    np.testing.assert_array_equal(first_image(folder)[..., 0], grey)
    palette = Image.fromarray(grey % 2).convert("P")
    palette.putpalette([9, 8, 7, 200, 100, 50])
    palette.save(folder / "train" / "apple" / "0.png")
    expected = np.array([[9, 8, 7], [200, 100, 50]])[grey % 2]
    np.testing.assert_array_equal(first_image(folder), expected)


def test_bilevel_images_are_black_and_white(folder):
    Image.fromarray(np.eye(4, 6, dtype=bool)).save(folder / "train" / "apple" / "0.png")
    np.testing.assert_array_equal(first_image(folder)[..., 0], 255 * np.eye(4, 6))


def _transparent(folder):
    save(np.zeros((4, 6, 4), np.uint8), folder / "train" / "apple" / "0.png")


def _transparent_colour(folder):
    picture = Image.fromarray(np.zeros((4, 6, 3), np.uint8))
    picture.save(folder / "train" / "apple" / "0.png", transparency=(0, 0, 0))


def _animated(folder):
    frames = [Image.fromarray(np.full((4, 6), level, np.uint8)) for level in (0, 200)]
    frames[0].save(folder / "train" / "apple" / "a.gif", save_all=True, append_images=frames[1:])


def _floating(folder):
    save(np.zeros((4, 6), np.float32), folder / "train" / "apple" / "a.tif")


def _deeper(folder):
    save(np.zeros((4, 6), np.uint8), folder / "train" / "apple" / "more" / "0.png")


def _beside(folder):
    save(np.zeros((4, 6), np.uint8), folder / "train" / "0.png")


def _one_class(folder):
    for split in ("train", "test"):
        shutil.rmtree(folder / split / "pear")


def _empty_class(folder):
    for file in (folder / "train" / "pear").iterdir():
        file.unlink()


def _missing_in_test(folder):
    shutil.rmtree(folder / "test" / "pear")


def _pipe(folder):
    os.mkfifo(folder / "train" / "apple" / "pipe.png")


def _bomb(folder):
    limit = Image.MAX_IMAGE_PIXELS
    side = int((1.5 * limit) ** 0.5)
    Image.new("1", (side, side)).save(folder / "train" / "apple" / "0.png")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_transparent, r"0\.png has transparent pixels"),
        (_transparent_colour, r"0\.png has transparent pixels"),
        (_animated, r"a\.gif holds 2 pictures"),
        (_floating, r"a\.tif has pixels of 32 bits"),
        (_deeper, r"more.*0\.png lies one level too deep"),
        (_beside, r"0\.png lies beside the class folders"),
        (_one_class, "one class only, 'apple'"),
        (_empty_class, r"no images in .*train.pear"),
        (_missing_in_test, r"test lacks the class 'pear'"),
        (_pipe, r"pipe\.png is no regular file"),
        (_bomb, r"cannot read the image .*0\.png.*decompression bomb"),
    ],
)
def test_what_cannot_be_read_rightly_is_refused_by_name(folder, damage, message):
    damage(folder)
    with pytest.raises(DataError, match=message):
        load(folder)


@pytest.fixture
def classes_alone(tmp_path):
    """Three classes of 3, 10 and 24 images in no split; each pixel tells class and number."""
    for label, count in enumerate((3, 10, 24)):
        for number in range(count):
            pixels = np.full((4, 6), 50 * label + number, np.uint8)
            save(pixels, tmp_path / "birds" / f"bird {label}" / f"{number:02}.png")
    return tmp_path / "birds"


def pixels_of(split):
    return split.images[:, 0, 0, 0].tolist()


@pytest.mark.parametrize("below", ["", "train"])
def test_of_classes_in_no_split_a_fifth_of_each_is_drawn_for_testing(classes_alone, below):
    if below:
        aside = classes_alone.rename(classes_alone.with_name("aside"))
        classes_alone.mkdir()
        aside.rename(classes_alone / below)
    dataset = load(classes_alone, seed=1)
    assert dataset.test_drawn
    assert dataset.classes == ("bird 0", "bird 1", "bird 2")
    assert np.bincount(dataset.test.labels).tolist() == [1, 2, 5]
    everything = [50 * label + n for label, count in enumerate((3, 10, 24)) for n in range(count)]
    assert sorted(pixels_of(dataset.train) + pixels_of(dataset.test)) == everything
    for split in (dataset.train, dataset.test):
        assert [pixel // 50 for pixel in pixels_of(split)] == split.labels.tolist()
    assert load(classes_alone, seed=1).sha256 == dataset.sha256
    assert load(classes_alone, seed=2).sha256 != dataset.sha256


def test_a_folder_with_a_test_split_draws_none(folder):
    assert not load(folder).test_drawn


def test_a_class_of_one_image_cannot_be_both_trained_and_tested_with(classes_alone):
    save(np.zeros((4, 6), np.uint8), classes_alone / "rare" / "0.png")
    with pytest.raises(DataError, match=r"birds.rare has one image only"):
        load(classes_alone)


def test_images_are_resized_to_a_height_and_a_width(folder):
    assert load(folder, image_size=(3, 5)).image_shape == (3, 5, 1)


@pytest.fixture
def scenes(tmp_path):
    """Images beside masks; the pixel value of an image is ten times its mask's class."""
    random = np.random.default_rng(0)
    root = tmp_path / "scenes"
    for split, count in (("train", 3), ("test", 2)):
        for number in range(count):
            mask = random.integers(0, 3, (6, 8)).astype(np.uint8)
            save(10 * mask, root / split / "images" / f"{number}.png")
            picture = Image.fromarray(mask).convert("P")
            picture.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0])
            (root / split / "masks").mkdir(exist_ok=True)
            picture.save(root / split / "masks" / f"{number}.png")
    return root


def test_masks_are_class_numbers_per_pixel(scenes):
    dataset = load(scenes)
    assert dataset.classes == ("class 0", "class 1", "class 2")
    assert dataset.train.targets.dtype == np.int64
    np.testing.assert_array_equal(dataset.train.images[..., 0], 10 * dataset.train.targets)
    (scenes / "classes.txt").write_text("sky\nroad\ncar\n")
    assert load(scenes).classes == ("sky", "road", "car")


def test_a_resized_mask_holds_no_class_that_was_not_there(scenes):
    dataset = load(scenes, image_size=4)
    assert dataset.train.targets.shape == (3, 4, 4)
    assert set(np.unique(dataset.train.targets)) <= {0, 1, 2}


def test_images_with_masks_in_no_split_are_drawn_with_their_masks(scenes):
    (scenes / "test").rename(scenes.parent / "elsewhere")
    for name in ("images", "masks"):
        (scenes / "train" / name).rename(scenes / name)
    (scenes / "train").rmdir()
    dataset = load(scenes)
    assert (len(dataset.train), len(dataset.test)) == (2, 1)
    for split in (dataset.train, dataset.test):
        np.testing.assert_array_equal(split.images[..., 0], 10 * split.targets)


def _no_mask(root):
    (root / "train" / "masks" / "1.png").unlink()


def _other_size(root):
    save(np.zeros((5, 8), np.uint8), root / "train" / "masks" / "1.png")


def _colours(root):
    save(np.zeros((6, 8, 3), np.uint8), root / "train" / "masks" / "1.png")


def _too_few_names(root):
    (root / "classes.txt").write_text("sky\n")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_no_mask, r"1\.png needs one mask 1\.\*"),
        (_other_size, r"1\.png is \(8, 6\) but its mask \(8, 5\)"),
        (_colours, r"1\.png is no mask"),
        (_too_few_names, "names 1 classes, but the masks hold class numbers up to 2"),
    ],
)
def test_masks_that_do_not_fit_are_refused_by_name(scenes, damage, message):
    damage(scenes)
    with pytest.raises(DataError, match=message):
        load(scenes)
