"""Labelled images for training, testing and calibration: `load` reads them, `Batches` feeds them.

`load` knows four kinds of source: scikit-learn's digits, any data set of TensorFlow Datasets, a
prepared directory of it, and a folder of images. All end in a `Dataset` of plain uint8 arrays.
"""

from tfelastic.data.base import Dataset, Split
from tfelastic.data.batches import Batches
from tfelastic.data.sources import load

__all__ = ["Batches", "Dataset", "Split", "load"]
