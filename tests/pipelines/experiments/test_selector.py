from pipelines.experiments.elastic.profile import LatencyFigures
from pipelines.experiments.elastic.selector import midway


def test_budgets_lie_midway_between_neighbours_whatever_the_order():
    latencies = {
        "w100": LatencyFigures(1, 400),
        "w025": LatencyFigures(1, 100),
        "w050": LatencyFigures(1, 200),
    }
    assert midway(latencies) == [150.0, 300.0]


def test_a_single_variant_gets_one_roomy_budget():
    assert midway({"w100": LatencyFigures(1, 400)}) == [800.0]
