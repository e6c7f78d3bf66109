"""The report's sections for the page alone."""

import numpy as np
import pytest

from pipelines.experiments.elastic.mask_examples import LONGEST_SIDE, Pixels
from pipelines.report import render
from pipelines.report.markdown import section
from pipelines.report.trade_off import Point, pareto_front


@pytest.mark.parametrize(("sign", "front"), [(1, ["a", "c"]), (-1, ["c"])])
def test_the_front_holds_the_nets_that_none_beats(sign, front):
    # b is slower and worse than a, d as good as c and slower.
    shapes = {"a": (0.9, 400), "b": (0.8, 500), "c": (0.7, 100), "d": (0.7, 120)}
    points = [Point(name, *shape) for name, shape in shapes.items()]
    assert [each.name for each in pareto_front(points, sign=sign)] == front


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
