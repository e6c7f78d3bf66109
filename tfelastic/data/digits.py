"""scikit-learn's handwritten digits: real images that come with a package, without a download."""

import numpy as np

from tfelastic.data.dataset import Dataset, Split, stratified_order
from tfelastic.data.extras import require
from tfelastic.data.resizing import Size, resize

# Ink runs from 0 to 16 in the source.
_FULL_INK = 16
_DEFAULT_SIZE = (32, 32)


def load_digits(*, image_size: Size | None = None, seed: int = 0) -> Dataset:
    """Return 1,797 handwritten digits, half of them for testing, as one-channel images.

    The source is the test set of UCI's Optical Recognition of Handwritten Digits (E. Alpaydin and
    C. Kaynak, 1998): 8x8 counts of ink, here stretched to 0..255 and enlarged.

    Args:
        image_size: (height, width) of every image; 32 each unless given.
        seed: Says which images form the test split; each class is halved.

    Raises:
        DataError: scikit-learn or pillow is not installed.
    """
    datasets = require("sklearn.datasets", extra="report", purpose="the data set 'digits'")
    ink, labels = datasets.load_digits(return_X_y=True)
    size = _DEFAULT_SIZE if image_size is None else image_size
    small = np.rint(ink * (255 / _FULL_INK)).astype(np.uint8).reshape(-1, 8, 8, 1)
    digits = Split(np.stack([resize(image, size) for image in small]), labels)
    order = stratified_order(digits.labels, seed=seed)
    half = len(digits) // 2
    return Dataset(
        name=f"scikit-learn digits (8x8, enlarged to {size[0]}x{size[1]})",
        classes=tuple(str(digit) for digit in range(10)),
        train=digits.take(np.sort(order[half:])),
        test=digits.take(np.sort(order[:half])),
    )
