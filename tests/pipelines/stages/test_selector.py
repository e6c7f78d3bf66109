from pipelines.stages.selector import midway


def test_budgets_lie_midway_between_neighbours_whatever_the_order():
    latencies = {"w100": {"p90_us": 400}, "w025": {"p90_us": 100}, "w050": {"p90_us": 200}}
    assert midway(latencies) == [150.0, 300.0]


def test_a_single_variant_gets_one_roomy_budget():
    assert midway({"w100": {"p90_us": 400}}) == [800.0]
