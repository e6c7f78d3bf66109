"""What stands on the page and in Markdown beside the variants."""

from typing import Any

from pipelines.report import methods, render
from pipelines.report.markdown import section


def test_a_comparison_has_its_place_on_the_page_and_in_markdown(metrics: dict[str, Any]) -> None:
    pair = {"images": 1000, "gained": 10, "lost": 0}
    judged = {"accuracy_keras": 0.9, "accuracy_tflite": 0.89, "against_alone": pair}
    ways = dict.fromkeys(methods.TITLES, judged)
    rung = {"name": "w100", "params": 1000, "macs": 10_000, "methods": ways}
    plain = section(metrics)
    metrics["comparison"] = [rung, {**rung, "name": "w050", "params": 300}]
    metrics["recipe"]["comparison"] = {"distillation": True, "published": None}
    text = section(metrics)
    assert text.startswith(plain)
    for line in methods.table(metrics):
        assert line in text
    page = render(metrics)
    assert page.count("<svg ") == 3
    assert "+1.00 [+0.38, +1.62]" in page
    colours = page[page.index("<svg") :]
    assert "#1f77b4" not in colours, "a colour that no dark page can change"
