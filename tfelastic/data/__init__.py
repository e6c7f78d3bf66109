"""Examples with targets, for training, evaluation and calibration: `load` reads them, `Batches` feeds them.

`load` knows scikit-learn's digits, generated data, `.npz` files, folders of images by class or with masks, and
TensorFlow Datasets, by name or prepared; and any object with `train` and `test`. All end in a `Dataset` of plain
arrays.
"""

from tfelastic.data.batches import Batches
from tfelastic.data.dataset import (
    Arrays,
    Dataset,
    Split,
    arrays_of,
    is_images,
    limited,
    sampling_order,
    stratified_order,
)
from tfelastic.data.sources import load

__all__ = [
    "Arrays",
    "Batches",
    "Dataset",
    "Split",
    "arrays_of",
    "is_images",
    "limited",
    "load",
    "sampling_order",
    "stratified_order",
]
