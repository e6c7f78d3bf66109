"""Generated data for examples and tests: small, seeded, and honestly called synthetic.

| name | inputs | targets |
|---|---|---|
| keywords | float features `[49, 10, 1]` of one second of generated sound | which of four pitch contours |
| gestures | accelerometer windows `[128, 3]` in units of g | which of three movements |
| gestures_and_strength | the same windows | `gesture`, and `strength`, the movement's peak acceleration in g |
| gestures_and_sound | `motion` `[128, 3]` and `sound` `[49, 10, 1]` | which of four pairs of a movement and a contour |
| shapes | RGB images `[48, 48, 3]` of discs, squares and triangles | the class of every pixel |
"""

from collections.abc import Callable

import numpy as np

from tfelastic.data.dataset import Arrays, Dataset, Split
from tfelastic.errors import DataError
from tfelastic.registry import Registry

#: Maps a number of examples and a generator to inputs and targets.
Generator = Callable[[int, np.random.Generator], tuple[Arrays, Arrays]]

GENERATORS: Registry[Generator] = Registry("synthetic data set", DataError)

_TRAIN, _TEST = 1200, 400

_CONTOURS = ("rising", "falling", "steady", "peaked")
_MOVEMENTS = ("circle", "shake", "tap")
_SHAPES = ("background", "disc", "square", "triangle")
_PAIRS = ("circle, rising", "circle, falling", "shake, rising", "shake, falling")

_CLASSES: dict[str, tuple[str, ...] | dict[str, tuple[str, ...]]] = {
    "keywords": _CONTOURS,
    "gestures": _MOVEMENTS,
    "gestures_and_strength": {"gesture": _MOVEMENTS, "strength": ()},
    "gestures_and_sound": _PAIRS,
    "shapes": _SHAPES,
}

# Sound: one second, in frames of 30 ms every 20 ms, as keyword spotters take it.
_RATE_HZ, _FRAME, _HOP, _FRAMES, _BANDS = 4000, 120, 80, 49, 10
# Motion: two seconds of a wrist.
_MOTION_HZ, _WINDOW = 64, 128
_GRAVITY = 9.81
_PIXELS = 48


def load_synthetic(name: str, *, seed: int = 0) -> Dataset:
    """Generate a data set of 1,200 training and 400 test examples.

    Args:
        name: One of the module's table.
        seed: Fixes every value.

    Raises:
        DataError: The name is unknown.

    Examples:
        >>> load_synthetic("gestures").train.inputs.shape
        (1200, 128, 3)
    """
    generate = GENERATORS.get(name)
    train, test = (
        Split(*generate(count, np.random.default_rng((seed, part))))
        for part, count in enumerate((_TRAIN, _TEST))
    )
    return Dataset(name=f"synthetic {name}", classes=_CLASSES[name], train=train, test=test)


@GENERATORS.register("keywords")
def keywords(count: int, random: np.random.Generator) -> tuple[Arrays, Arrays]:
    """Return log band energies of tones whose pitch rises, falls, stays, or rises and falls, in noise."""
    labels = random.integers(0, len(_CONTOURS), count)
    return _features(labels, random), labels


@GENERATORS.register("gestures")
def gestures(count: int, random: np.random.Generator) -> tuple[Arrays, Arrays]:
    """Return accelerometer windows of a circling, a shaken and a tapping wrist."""
    labels = random.integers(0, len(_MOVEMENTS), count)
    return _windows(labels, random)[0], labels


@GENERATORS.register("gestures_and_strength")
def gestures_and_strength(count: int, random: np.random.Generator) -> tuple[Arrays, Arrays]:
    """Return windows as `gestures` does; how hard the movement was is a target of its own."""
    labels = random.integers(0, len(_MOVEMENTS), count)
    windows, strength = _windows(labels, random)
    return windows, {"gesture": labels, "strength": strength[:, np.newaxis]}


@GENERATORS.register("gestures_and_sound")
def gestures_and_sound(count: int, random: np.random.Generator) -> tuple[Arrays, Arrays]:
    """Return windows and sounds; the class is a pair of both, so neither input is enough."""
    movements, contours = random.integers(0, 2, (2, count))
    inputs = {"motion": _windows(movements, random)[0], "sound": _features(contours, random)}
    return inputs, 2 * movements + contours


@GENERATORS.register("shapes")
def shapes(count: int, random: np.random.Generator) -> tuple[Arrays, Arrays]:
    """Return noisy images of one to three shapes that may overlap, and the class of every pixel."""
    images = np.empty((count, _PIXELS, _PIXELS, 3), np.uint8)
    masks = np.zeros((count, _PIXELS, _PIXELS), np.int64)
    row, column = np.mgrid[:_PIXELS, :_PIXELS]
    for image, mask in zip(images, masks, strict=True):
        canvas = np.full((_PIXELS, _PIXELS, 3), random.uniform(0, 90, 3))
        for _ in range(random.integers(1, 4)):
            label = int(random.integers(1, len(_SHAPES)))
            radius = random.uniform(6, 13)
            top, left = random.uniform(radius, _PIXELS - radius, 2)
            inside = _inside(label, row - top, column - left, radius)
            canvas[inside] = random.uniform(110, 255, 3)
            mask[inside] = label
        image[:] = np.clip(canvas + random.normal(0, 12, canvas.shape), 0, 255)
    return images, masks


def _inside(label: int, down: np.ndarray, right: np.ndarray, radius: float) -> np.ndarray:
    if label == _SHAPES.index("disc"):
        return down**2 + right**2 <= radius**2
    if label == _SHAPES.index("square"):
        return np.maximum(abs(down), abs(right)) <= 0.85 * radius
    return (down <= 0.8 * radius) & (down >= 2.2 * abs(right) - radius)


def _features(labels: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Return log energies `[count, frames, bands, 1]` of one second of sound for each label."""
    time = np.arange(_RATE_HZ) / _RATE_HZ
    low, high = random.uniform(180, 320, len(labels)), random.uniform(600, 1000, len(labels))
    contours = np.stack([time, 1 - time, np.full_like(time, 0.5), 1 - abs(2 * time - 1)])
    pitch = low[:, np.newaxis] + (high - low)[:, np.newaxis] * contours[labels]
    phase = 2 * np.pi * np.cumsum(pitch, axis=1) / _RATE_HZ
    # A tone and its overtone, fading in and out, from another moment each time.
    start = random.uniform(0, 0.25, (len(labels), 1))
    envelope = np.clip(np.sin(np.pi * (time - start) / 0.75), 0, None)
    sound = envelope * (np.sin(phase) + 0.5 * np.sin(2 * phase))
    sound += random.normal(0, 0.3, sound.shape)
    starts = _HOP * np.arange(_FRAMES)
    frames = sound[:, starts[:, np.newaxis] + np.arange(_FRAME)] * np.hanning(_FRAME)
    power = abs(np.fft.rfft(frames, axis=-1)) ** 2
    bands = np.stack([part.sum(axis=-1) for part in np.array_split(power[..., 1:], _BANDS, -1)], -1)
    return np.log(bands + 1e-3)[..., np.newaxis].astype(np.float32)


def _windows(labels: np.ndarray, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return accelerations `[count, window, 3]` and the peak of each movement, `[count]`, in g."""
    count = len(labels)
    time = np.arange(_WINDOW) / _MOTION_HZ
    rate = random.uniform(0.8, 1.6, (count, 1))
    turn = 2 * np.pi * (rate * time + random.uniform(0, 1, (count, 1)))
    radius = random.uniform(0.05, 0.2, (count, 1))
    flat = np.zeros_like(turn)
    # Accelerations in m/s2: of a circle r w^2 towards its middle, of a shake as much along one line, and of taps
    # short decaying pulses.
    pull = radius * (2 * np.pi * rate) ** 2
    circle = np.stack([pull * np.cos(turn), pull * np.sin(turn), flat], axis=-1)
    shake = np.stack([4 * pull * np.sin(3 * turn), flat, flat], axis=-1)
    since = np.mod(turn / (2 * np.pi), 1) / rate
    tap = np.stack([flat, flat, 8 * pull * np.exp(-since / 0.03)], axis=-1)
    movement = np.stack([circle, shake, tap])[labels, np.arange(count)]
    strength = np.linalg.norm(movement, axis=-1).max(axis=-1) / _GRAVITY
    turned = np.einsum("nij,ntj->nti", _rotations(count, random), movement)
    down = random.normal(size=(count, 1, 3))
    down *= _GRAVITY / np.linalg.norm(down, axis=-1, keepdims=True)
    noisy = (turned + down + random.normal(0, 0.3, turned.shape)) / _GRAVITY
    return noisy.astype(np.float32), strength.astype(np.float32)


def _rotations(count: int, random: np.random.Generator) -> np.ndarray:
    """Return orthogonal matrices `[count, 3, 3]`: a watch sits on a wrist in any way."""
    return np.linalg.qr(random.normal(size=(count, 3, 3)))[0]
