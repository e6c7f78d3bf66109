"""The operations that the cost model expects, against those of converted files."""

from collections import Counter

import numpy as np

import tfelastic as te
import tflite_export as tx
from tests.support.weights import randomize
from tfelastic._cost import lower
from tfelastic._plan import Selection
from tflite_export.tflite import operators


def test_a_rectified_sum_is_not_rectified_again_where_a_block_goes() -> None:
    model = te.zoo.build("resnet20", input_shape=(16, 16, 3), classes=4, seed=0)
    randomize(model, seed=1)
    graph = te.trace(model)
    samples = np.random.default_rng(0).integers(0, 256, (4, 16, 16, 3), dtype=np.uint8)
    for removed in [(), (graph.blocks[0].name,), tuple(block.name for block in graph.blocks)]:
        pruned = te.prune(model, te.KeepPlan(graph.fingerprint, removed=removed))
        found = Counter(each.name for each in operators(tx.convert(pruned, samples=samples)))
        assert Counter(each.kind for each in lower(Selection(te.trace(pruned))).operations) == found
