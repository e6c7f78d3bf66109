"""Answer a few test images of a segmentation with the variants, to be looked at."""

import base64
import zlib
from dataclasses import dataclass
from typing import Self

import numpy as np

from pipelines.experiments.elastic import export
from pipelines.experiments.elastic.recipe import ElasticRecipe
from pipelines.records import Record
from pipelines.stages import Outcome, Run, Stage, baseline, data
from pipelines.stages.task import TASK_KEYS, task_of

#: How many test images are shown, and how long their sides are at most.
EXAMPLES = 4
LONGEST_SIDE = 96


@dataclass(frozen=True)
class Pixels(Record):
    """Numbers from 0 to 255, one or three a pixel, compressed."""

    shape: tuple[int, ...]
    zlib_base64: str

    @classmethod
    def of(cls, array: np.ndarray) -> Self:
        """Keep every n-th pixel, so that no side is longer than `LONGEST_SIDE`."""
        step = -(-max(array.shape[:2]) // LONGEST_SIDE)
        small = np.ascontiguousarray(array[::step, ::step], np.uint8)
        text = base64.b64encode(zlib.compress(small.tobytes(), 9)).decode()
        return cls(small.shape, text)

    @property
    def array(self) -> np.ndarray:
        """The pixels, uint8 `[height, width]` or `[height, width, channels]`."""
        values = zlib.decompress(base64.b64decode(self.zlib_base64))
        return np.frombuffer(values, np.uint8).reshape(self.shape)


@dataclass(frozen=True)
class MaskExample(Record):
    """An input, the class of each of its pixels, and the classes that each variant shown gives them."""

    image: Pixels
    truth: Pixels
    predicted: dict[str, Pixels]


@dataclass(frozen=True)
class MaskExamples(Record):
    """The examples, and the names of the classes."""

    classes: tuple[str, ...]
    examples: tuple[MaskExample, ...]


def run(run: Run[ElasticRecipe]) -> Outcome[MaskExamples]:
    """Run the widest and the narrowest variant on the first test images."""
    import tflite_export as tx

    output = task_of(run, baseline.load(run)).outputs[0]
    packed = run.result(export.STAGE).packed
    shown = tuple(dict.fromkeys((packed[0], packed[-1])))
    test = run.dataset.test.take(np.arange(min(EXAMPLES, len(run.dataset.test))))
    images, targets = test.images, np.asarray(test.targets)
    truth = targets.argmax(-1) if output.labels_are_rows else targets.reshape(targets.shape[:3])
    predicted = {}
    for name in shown:
        file = run.path(export.tflite_file(name)).read_bytes()
        values = tx.predict(file, images)
        single = output.is_one_unit
        predicted[name] = values[..., 0] > output.threshold if single else values.argmax(-1)
    examples = tuple(
        MaskExample(
            Pixels.of(image),
            Pixels.of(truth[index]),
            {name: Pixels.of(classes[index]) for name, classes in predicted.items()},
        )
        for index, image in enumerate(images)
    )
    return Outcome(
        f"{len(examples)} test images by {' and '.join(shown)}",
        MaskExamples(output.classes, examples),
    )


STAGE = Stage(
    "mask_examples",
    run,
    MaskExamples,
    keys=TASK_KEYS,
    stages=(data.STAGE, baseline.STAGE, export.STAGE),
    packages=("ai_edge_litert",),
)
