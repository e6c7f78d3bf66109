"""Recovering the factor per output channel by which a converter folded a BatchNorm into a kernel.

The converter multiplies a kernel by one number per output channel, which no file states. Each product,
rounded to float32, leaves the factor an interval half a step wide to either side; the channel's
intervals overlap in a few float32 values, and one of those that gives every product to the last bit
is taken.
"""

from __future__ import annotations

import numpy as np

_TRIED = (0, 1, -1, 2, -2)
_SMALLEST = np.finfo(np.float32).tiny


def find_channel_factors(folded: np.ndarray, unfolded: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return one factor per channel, and for which channels it gives the folded kernel exactly.

    Args:
        folded: float32 `[channels, elements]`.
        unfolded: float32 `[channels, elements]`.

    Returns:
        The factors, float32 `[channels]`, and bool `[channels]`: whether `unfolded * factor`, rounded
        to float32, is `folded` to the last bit, without subnormals, infinities and NaNs, which not
        every device treats alike.
    """
    guess = _middle(folded, unfolded)
    factors = np.zeros(len(folded), np.float32)
    exact = np.zeros(len(folded), bool)
    for steps in _TRIED:
        # Neighbouring float32 values have neighbouring bit patterns.
        tried = (guess.view(np.int32) + np.int32(steps)).view(np.float32)
        with np.errstate(all="ignore"):
            product = unfolded * tried[:, np.newaxis]
        fits = (product.view(np.int32) == folded.view(np.int32)).all(axis=1)
        fits &= _plain(product).all(axis=1) & _plain(tried)
        factors = np.where(fits & ~exact, tried, factors)
        exact |= fits
    return factors, exact & _plain(unfolded).all(axis=1)


def _middle(folded: np.ndarray, unfolded: np.ndarray) -> np.ndarray:
    """Return the middle of the interval that all of a channel's products leave its factor."""
    product, element = folded.astype(np.float64), unfolded.astype(np.float64)
    with np.errstate(all="ignore"):
        half_step = np.spacing(np.abs(folded)).astype(np.float64) / 2
        ends = np.stack([(product - half_step) / element, (product + half_step) / element])
        usable = (element != 0) & np.isfinite(ends).all(axis=0)
        low = np.where(usable, ends.min(axis=0), -np.inf).max(axis=1)
        high = np.where(usable, ends.max(axis=0), np.inf).min(axis=1)
        middle = (low + high) / 2
    found = np.where(np.isfinite(middle), middle, 0).astype(np.float32)
    # A channel of zeros takes any factor, but for the zeros' sign.
    negative = np.signbit(folded[:, 0]) ^ np.signbit(unfolded[:, 0])
    return np.where(found == 0, np.where(negative, np.float32(-0.0), np.float32(0)), found)


def _plain(values: np.ndarray) -> np.ndarray:
    magnitude = np.abs(values)
    return (magnitude == 0) | ((magnitude >= _SMALLEST) & np.isfinite(values))
