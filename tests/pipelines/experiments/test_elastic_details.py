"""The report's sections for the page alone."""

import numpy as np
import pytest

from pipelines.experiments.elastic.mask_examples import LONGEST_SIDE, Pixels
from pipelines.experiments.elastic.pictures import pareto_front
from pipelines.report import render
from pipelines.report.markdown import section


def test_the_front_holds_the_variants_that_none_beats(tree, read):
    # Latency and score of each; b is slower and worse than a, d as good as c and slower.
    shapes = {"a": (400, 0.9), "b": (500, 0.8), "c": (100, 0.7), "d": (120, 0.7)}
    tree["variants"] = [
        {**tree["variants"][0], "name": name, "p50_us": p50, "score_tflite": score}
        for name, (p50, score) in shapes.items()
    ]
    assert [each.name for each in pareto_front(read(tree)[0])] == ["a", "c"]
    tree["baseline"]["metric"] = {"name": "mae", "higher_is_better": False}
    assert [each.name for each in pareto_front(read(tree)[0])] == ["c"]


@pytest.mark.parametrize("shape", [(12, 12), (300, 200, 3), (1, 500)])
def test_pixels_come_back_with_no_side_too_long(shape):
    array = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    pixels = Pixels.of(array)
    step = -(-max(shape[:2]) // LONGEST_SIDE)
    assert max(pixels.shape[:2]) <= LONGEST_SIDE
    assert np.array_equal(Pixels.from_json(pixels.to_json()).array, array[::step, ::step])


def test_each_figure_stands_on_the_page_and_none_on_the_page_of_results(full_tree, read):
    metrics, content = read(full_tree)
    html = render(metrics, content)
    for part in ("block_3/conv", "16 → 8", "2,320 → 0", "bursts: kalman", "cd" * 32, "98.00"):
        assert part in html
    for title in ("Layer by layer", "Blocks kept", "Masks", "int8 against float"):
        assert f"<h2>{title}</h2>" in html
        assert title not in section(metrics, content)


def test_runs_of_before_there_were_these_figures_are_still_shown(tree, read):
    html = render(*read(tree))
    for title in ("Layer by layer", "Blocks kept", "Masks", "simulated"):
        assert title not in html
