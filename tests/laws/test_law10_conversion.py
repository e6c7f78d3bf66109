"""Law 10: Keras and TFLite agree within the stated tolerance, per variant."""

from itertools import islice

import keras
import pytest

import tfelastic as te
from tests.support.inference import random_inputs
from tests.support.random_models import NAMED, build
from tests.support.tflite_files import with_swapped_channels
from tests.support.weights import randomize
from tflite_export import convert, verify
from tflite_export.quantize.scheme import Tolerance

# Tighter than the schemes' defaults: what these small nets keep, and what one wrong channel breaks.
TOLERANCES = {
    "float32": Tolerance(mean_difference=1e-6, max_difference=1e-5, top1_agreement=0.99),
    "int8": Tolerance(mean_difference=0.03, max_difference=0.15, top1_agreement=0.95),
}


class Rungs:
    """The rungs of a network, cut out, and what they are fed with."""

    def __init__(self, name: str) -> None:
        model = randomize(build(NAMED[name]), seed=1, alive=True)
        (self.inputs,) = random_inputs(model, count=100)
        net = te.ElasticModel(model, te.ladder(model, widths=(1.0, 0.5), round_to=1))
        net.recalibrate(self.inputs)
        self.cuts = [net.cut(rung) for rung in net.names]

    def agree(self, cut: keras.Model, tflite: bytes, scheme: str) -> bool:
        """Return whether a file is within the tolerance of a model, whose own answers are the labels."""
        labels = cut.predict(self.inputs, verbose=0).argmax(axis=-1)
        found = verify(
            cut, tflite, self.inputs, labels, scheme=scheme, tolerance=TOLERANCES[scheme]
        )
        return found.passed


@pytest.fixture(scope="module", params=["residual", "dense_after_flatten"])
def rungs(request: pytest.FixtureRequest) -> Rungs:
    return Rungs(request.param)


@pytest.mark.parametrize("scheme", TOLERANCES)
def test_every_variant_agrees_and_one_wrong_channel_is_seen(rungs: Rungs, scheme: str) -> None:
    widest, narrow = (convert(cut, scheme=scheme, samples=rungs.inputs) for cut in rungs.cuts)
    assert rungs.agree(rungs.cuts[0], widest, scheme)
    assert rungs.agree(rungs.cuts[1], narrow, scheme)
    wrong = [narrow, *islice(with_swapped_channels(widest), 4)]
    assert len(wrong) > 3
    assert not any(rungs.agree(rungs.cuts[0], each, scheme) for each in wrong)
