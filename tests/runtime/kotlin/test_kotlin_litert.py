"""Kotlin runs the golden bundles' variants on the real LiteRT, as Python does, to the bit in the same kernels."""

import numpy as np
import pytest
from tfelastic_runtime import Bundle, Runner

from tests.support.golden import BUNDLES, random_inputs
from tests.support.questions import RUNS, Ask

SETS = 20
"""Random sets of inputs per variant."""


@pytest.mark.parametrize("xnnpack", [True, False], ids=["xnnpack", "builtin"])
@pytest.mark.parametrize("name", BUNDLES)
def test_every_variant_agrees_with_python_to_the_bit(ask: Ask, name: str, xnnpack: bool) -> None:
    data = BUNDLES[name]
    bundle, rng = Bundle.from_bytes(data), np.random.default_rng(0)
    sets = [random_inputs(bundle, rng) for _ in range(SETS)]
    given = b"".join(value.tobytes() for values in sets for value in values.values())
    for index, variant in enumerate(bundle.variants):
        runner = Runner(bundle, variant.name, xnnpack=xnnpack)
        expected = [runner.run(values) for values in sets]
        assert len({outputs[bundle.manifest.outputs[0].name].tobytes() for outputs in expected}) > 1
        (answer,) = ask([(RUNS | xnnpack << 8 | index << 9, data, given)])
        status, found = answer.split(" ", 1)
        assert status == "ok", answer
        assert found == "".join(
            outputs[spec.name].tobytes().hex()
            for outputs in expected
            for spec in bundle.manifest.outputs
        ), variant.name
