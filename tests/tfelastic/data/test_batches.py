import keras
import numpy as np
import pytest

from tfelastic.data import Batches, Split
from tfelastic.errors import DataError


def numbered(count, size=12):
    """Images of which every one differs from every other in every row and column."""
    random = np.random.default_rng(0)
    images = random.integers(1, 256, size=(count, size, size, 3), dtype=np.uint8)
    return Split(images, np.arange(count))


def epoch(batches):
    fed = [batches[index] for index in range(len(batches))]
    return np.concatenate([x for x, _ in fed]), np.concatenate([y for _, y in fed])


def end_epoch(batches):
    batches.on_epoch_begin()
    fed = epoch(batches)
    batches.on_epoch_end()
    return fed


def test_an_epoch_feeds_every_image_once_with_its_label():
    split = numbered(10)
    batches = Batches(split, batch_size=4)
    assert [len(y) for _, y in (batches[0], batches[1], batches[2])] == [4, 4, 2]
    images, labels = epoch(batches)
    assert images.dtype == np.float32
    assert sorted(labels) == list(range(10))
    assert labels.tolist() != list(range(10))
    np.testing.assert_array_equal(images, split.images[labels])


def test_without_shuffling_the_order_is_the_splits():
    assert epoch(Batches(numbered(10), batch_size=4, shuffle=False))[1].tolist() == list(range(10))


def test_a_resumed_run_sees_what_an_uninterrupted_one_sees():
    def make(seed=5):
        return Batches(numbered(20), batch_size=8, augment="shift-flip", seed=seed)

    uninterrupted, resumed = make(), make()
    seen = [end_epoch(uninterrupted) for _ in range(3)]
    resumed.start_at(2)
    np.testing.assert_array_equal(epoch(resumed)[0], seen[2][0])
    assert not np.array_equal(seen[1][1], seen[2][1])
    assert not np.array_equal(seen[0][1], epoch(make(seed=6))[1])


def test_a_batch_does_not_depend_on_the_batches_asked_for_before():
    first, second = (Batches(numbered(20), batch_size=8, augment="shift-flip") for _ in range(2))
    first[0], first[1]
    np.testing.assert_array_equal(first[2][0], second[2][0])


class Recorder(Batches):
    """Notes which epoch each batch is asked for."""

    def __getitem__(self, index):
        self.asked.append((self._epoch, index))
        return super().__getitem__(index)


def test_keras_counts_the_epochs():
    batches = Recorder(numbered(20), batch_size=8)
    model = keras.Sequential([keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(20)])
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    expected = [(e, i) for e in range(3) for i in range(3)]
    for start in (0, 3):
        batches.start_at(start)
        batches.asked = []
        model.fit(batches, epochs=3, shuffle=False, verbose=0)
        # Keras first takes a few batches to see their shapes.
        assert batches.asked[-9:] == [(e + start, i) for e, i in expected]


def windows(image):
    """Every image that a shift by up to four pixels can give, by the slow way."""
    size = image.shape[0]
    padded = np.zeros((size + 8, size + 8, 3), np.uint8)
    padded[4:-4, 4:-4] = image
    return [padded[y : y + size, x : x + size] for y in range(9) for x in range(9)]


@pytest.mark.parametrize("augment", ["shift", "shift-flip"])
def test_augmented_images_are_shifted_and_flipped_ones(augment):
    split = numbered(200)
    images, labels = epoch(Batches(split, batch_size=64, augment=augment))
    seen = set()
    for image, label in zip(images, labels, strict=True):
        for flipped in (False, True):
            for position, window in enumerate(windows(split.images[label])):
                if np.array_equal(window[:, ::-1] if flipped else window, image):
                    seen.add((flipped, position))
                    break
            else:
                continue
            break
        else:
            pytest.fail(f"image {label} is no shifted or flipped one")
    assert {flipped for flipped, _ in seen} == ({False} if augment == "shift" else {False, True})
    # 200 draws of 81 windows leave about seven out.
    assert len({position for _, position in seen}) > 60


def test_bad_arguments_name_what_is_allowed():
    with pytest.raises(DataError, match="batch_size must be positive, got 0"):
        Batches(numbered(2), batch_size=0)
    with pytest.raises(DataError, match=r"'flip'.*known: shift, shift-flip"):
        Batches(numbered(2), batch_size=1, augment="flip")


def test_masks_move_as_their_images_do():
    random = np.random.default_rng(0)
    masks = random.integers(0, 200, (20, 12, 12))
    images = np.repeat(masks[..., np.newaxis], 3, axis=-1).astype(np.uint8)
    fed, moved = Batches(Split(images, masks), batch_size=20, augment="shift-flip")[0]
    np.testing.assert_array_equal(fed[..., 0], moved)
    assert moved.dtype == np.int64
    assert not np.array_equal(np.sort(moved.sum((1, 2))), np.sort(masks.sum((1, 2))))


def test_dicts_are_fed_as_dicts_and_only_images_are_augmented():
    random = np.random.default_rng(0)
    inputs = {
        "image": random.integers(1, 256, (6, 8, 8, 1), dtype=np.uint8),
        "motion": random.normal(size=(6, 8, 8)).astype(np.float32),
        "word": random.integers(0, 9, (6, 4)),
    }
    targets = {"class": np.arange(6), "value": np.arange(6.0)}
    x, y = Batches(Split(inputs, targets), batch_size=6, augment="shift")[0]
    order = y["class"]
    np.testing.assert_array_equal(y["value"], order)
    assert x["image"].dtype == np.float32
    assert not np.array_equal(x["image"], inputs["image"][order])
    np.testing.assert_array_equal(x["word"], inputs["word"][order])


def test_an_augmentation_without_images_is_refused():
    windows = Split(np.zeros((4, 8, 3)), np.arange(4))
    with pytest.raises(DataError, match=r"'shift' is for uint8 images.*got float32 \[4, 8, 3\]"):
        Batches(windows, batch_size=2, augment="shift")


def test_the_parts_of_a_batch_are_what_one_process_feeds():
    split, options = numbered(22), {"batch_size": 8, "augment": "shift-flip", "seed": 5}
    whole = Batches(split, multiple_of=4, **options)
    parts = [Batches(split, multiple_of=4, part=(number, 2), **options) for number in range(2)]
    assert [len(whole[index][1]) for index in range(len(whole))] == [8, 8, 4]
    for _ in range(2):
        images, labels = end_epoch(whole)
        fed = [end_epoch(part) for part in parts]
        for index in range(3):
            half = len(whole[index][1]) // 2
            assert [len(part[index][1]) for part in parts] == [half, half]
        np.testing.assert_array_equal(
            np.concatenate([np.split(x, [4, 8])[k] for k in range(3) for x, _ in fed]), images
        )
        np.testing.assert_array_equal(
            np.concatenate([np.split(y, [4, 8])[k] for k in range(3) for _, y in fed]), labels
        )


def test_devices_that_cannot_share_a_batch_are_refused():
    for count, batch_size, multiple in ((20, 6, 4), (3, 8, 4)):
        with pytest.raises(DataError, match="4 devices in 1 processes share each batch equally"):
            Batches(numbered(count), batch_size=batch_size, multiple_of=multiple)
