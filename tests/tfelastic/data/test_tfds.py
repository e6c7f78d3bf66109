from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

from tfelastic.data import load
from tfelastic.errors import DataError

SHARED = Path(__file__).parents[4] / "shared" / "data" / "tfds"


def prepare(tmp_path, *, name="tiny", splits=("train", "validation"), shapes=((4, 6, 3),)):
    """Write a tfds directory as tfds itself does; pixel values count up from the first image."""
    varies = len(shapes) > 1
    features = tfds.features.FeaturesDict(
        {
            "image": tfds.features.Image(shape=(None, None, 3) if varies else shapes[0]),
            "label": tfds.features.ClassLabel(names=["cat", "dog"]),
        }
    )

    examples = [
        {"image": np.full(shapes[i % len(shapes)], i, np.uint8), "label": i % 2} for i in range(5)
    ]
    path = tmp_path / name / "1.0.0"
    path.mkdir(parents=True)
    infos = [_write_split(path, split, features, examples) for split in splits]
    tfds.folder_dataset.write_metadata(
        data_dir=path, features=features, split_infos=infos, supervised_keys=("image", "label")
    )
    return path


def _write_split(path, split, features, examples):
    template = tfds.core.ShardedFileTemplate(
        data_dir=path, dataset_name=path.parent.name, split=split, filetype_suffix="tfrecord"
    )
    serialize = tfds.core.example_serializer.ExampleSerializer(
        features.get_serialized_info()
    ).serialize_example
    with tf.io.TFRecordWriter(str(template.sharded_filepath(shard_index=0, num_shards=1))) as out:
        for example in examples:
            out.write(serialize(features.encode_example(example)))
    return tfds.core.SplitInfo(
        name=split, shard_lengths=[len(examples)], num_bytes=0, filename_template=template
    )


def test_a_prepared_directory_is_read_in_its_order(tmp_path):
    dataset = load(prepare(tmp_path))
    assert dataset.describe() == {
        "name": "tiny",
        "train": 5,
        "test": 5,
        "inputs": {"": {"shape": [4, 6, 3], "dtype": "uint8"}},
        "targets": {"": {"shape": [], "dtype": "int64"}},
        "classes": ["cat", "dog"],
    }
    assert dataset.train.images[:, 0, 0, 0].tolist() == [0, 1, 2, 3, 4]
    assert dataset.train.labels.tolist() == [0, 1, 0, 1, 0]


def test_images_of_different_sizes_need_an_image_size(tmp_path):
    path = prepare(tmp_path, shapes=((4, 6, 3), (8, 8, 3)))
    with pytest.raises(DataError, match="examples of tiny differ in size; give an image_size"):
        load(path)
    dataset = load(path, image_size=4)
    assert dataset.image_shape == (4, 4, 3)
    assert dataset.name == "tiny, at 4x4"
    assert dataset.test.images[:, 3, 3, 2].tolist() == [0, 1, 2, 3, 4]


def test_a_missing_test_split_is_named(tmp_path):
    with pytest.raises(DataError, match=r"'train' and 'test'.*it has extra, train"):
        load(prepare(tmp_path, splits=("extra", "train")))


@pytest.mark.parametrize("file", ["dataset_info.json", "tiny-train.tfrecord-00000-of-00001"])
def test_a_damaged_directory_is_refused(tmp_path, file):
    path = prepare(tmp_path)
    (path / file).write_bytes((path / file).read_bytes()[:-20])
    with pytest.raises(DataError, match="no readable tfds directory"):
        load(path)


def test_an_unknown_name_is_refused_with_what_may_be_given(tmp_path):
    with pytest.raises(DataError, match="'no_such_data' is neither"):
        load("no_such_data", data_dir=tmp_path)


@pytest.mark.parametrize(
    ("directory", "name", "image_size", "train", "test", "shape"),
    [
        ("fashion_mnist_png", "Fashion-MNIST", None, 60_000, 10_000, (28, 28, 1)),
        (
            "imagenette_96px",
            "Imagenette (squeezed to 96x96, JPEG q90), at 32x32",
            32,
            9_469,
            3_925,
            (32, 32, 3),
        ),
    ],
)
def test_real_data(directory, name, image_size, train, test, shape):
    path = SHARED / directory / "1.0.0"
    if not path.is_dir():
        pytest.skip(f"the shared data are not here: {path}")
    dataset = load(path, image_size=image_size)
    assert (dataset.name, len(dataset.train), len(dataset.test)) == (name, train, test)
    assert dataset.image_shape == shape
    assert len(dataset.classes) == 10
    assert 60 < dataset.train.images.mean() < 130
