"""The section for a page of results."""

from typing import Any

from pipelines.report.markdown import section


def test_every_variant_has_a_row_with_its_speed_as_a_ratio(metrics: dict[str, Any]) -> None:
    text = section(metrics)
    rows = [line for line in text.splitlines() if line.startswith("| w")]
    assert [row.split()[1] for row in rows] == [v["name"] for v in metrics["variants"]]
    first, last = metrics["variants"][0], metrics["variants"][-1]
    assert rows[0].endswith("| 1.00x |")
    assert rows[-1].endswith(f"| {first['latency_us']['p50'] / last['latency_us']['p50']:.2f}x |")


def test_it_names_the_data_the_seed_and_the_command(metrics: dict[str, Any]) -> None:
    text = section(metrics)
    assert metrics["data"]["name"] in text
    assert f"seed {metrics['seed']}" in text
    assert metrics["command"] in text
