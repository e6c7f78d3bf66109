import json
import re
from html.parser import HTMLParser

import pytest

from pipelines.errors import WorkspaceError
from pipelines.experiments import read_metrics, write_report
from pipelines.report import render

_VOID = {"meta", "link", "br", "img", "hr", "input"}


class Page(HTMLParser):
    """Checks that tags nest, and gathers ids, links and text."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.text = ""

    def handle_starttag(self, tag, attrs):
        if tag not in _VOID:
            self.open.append(tag)
        for key, value in attrs:
            if key == "id":
                self.ids.append(value)
            if key in ("href", "src", "xlink:href"):
                self.links.append(value)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in _VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def parsed(html: str) -> Page:
    page = Page()
    page.feed(html)
    page.close()
    assert page.open == []
    return page


def test_the_page_stands_alone(tree, read):
    html = render(*read(tree))
    page = parsed(html)
    assert html.count("<svg ") == 5
    assert all(link.startswith("#") for link in page.links)
    assert "<script" not in html
    assert "url(http" not in html
    assert "@import" not in html


def test_no_id_stands_twice_and_every_reference_has_one(tree, read):
    html = render(*read(tree))
    page = parsed(html)
    assert len(page.ids) == len(set(page.ids))
    assert {link[1:] for link in page.links} <= set(page.ids)
    assert set(re.findall(r"url\(#([^)]*)\)", html)) <= set(page.ids)


def test_the_figures_have_their_units(tree, read):
    html = render(*read(tree))
    assert "<dd>7</dd>" in html
    for cell in ("98.78\u2009%", "98.60\u2009%", "78,042", "12.45", "400", "420"):
        assert f">{cell}<" in html
    text = re.sub(r"[ \n]+", " ", parsed(html).text)
    for part in ("154.3 kB", "p50 (µs)", "Some CPU", "python 3.11.7", "1:01", "2:05"):
        assert part in text


def test_what_users_write_is_shown_and_not_obeyed(tree, read):
    html = render(*read(tree))
    assert "<b>bold</b>" not in html
    text = parsed(html).text
    assert "Digits <b>bold</b>" in text
    assert tree["command"] in text


def test_the_pictures_take_every_colour_from_the_page(tree, read):
    html = render(*read(tree))
    pictures = html[html.index("<svg") :]
    colours = set(re.findall(r"#[0-9a-f]{6}\b", pictures))
    assert colours == set()
    declared = set(re.findall(r"(--[a-z0-9-]+):", html))
    assert set(re.findall(r"var\((--[a-z0-9-]+)\)", html)) <= declared


def test_equal_metrics_give_an_equal_page(tree, read):
    assert render(*read(tree)) == render(*read(tree))


@pytest.mark.parametrize("count", [1, 2, 7])
def test_any_number_of_variants_is_drawn(tree, read, count):
    template = tree["variants"][0]
    tree["variants"] = [{**template, "name": f"v{i}"} for i in range(count)]
    tree["selector"][0]["variant_counts"] = {f"v{i}": 1 for i in range(count)}
    assert parsed(render(*read(tree))).text.count(f"v{count - 1}") >= 2


def test_a_model_that_came_trained_has_no_curve(tree, read):
    tree["baseline"]["history"] = []
    parsed(render(*read(tree)))


def test_a_written_report_replaces_the_old_one(tmp_path, tree, read):
    (tmp_path / "metrics.json").write_text(json.dumps(tree))
    (tmp_path / "report.html").write_text("old")
    path = write_report(tmp_path)
    assert path == tmp_path / "report.html"
    assert path.read_text(encoding="utf-8") == render(*read(tree))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["metrics.json", "report.html"]


def test_slow_variants_are_told_in_milliseconds(tree, read):
    for variant in tree["variants"]:
        variant |= {"p50_us": 41_500, "p90_us": 43_219}
    text = parsed(render(*read(tree))).text
    assert "43.22" in text
    assert "43,219" not in text


@pytest.mark.parametrize(
    ("change", "part"),
    [
        (lambda tree: {}, "names no experiment"),
        (lambda tree: {**tree, "experiment": "alchemy"}, "'alchemy'"),
        (lambda tree: {**tree, "seed": "seven"}, "seed: expected a whole number"),
        (lambda tree: {k: v for k, v in tree.items() if k != "variants"}, "missing key variants"),
    ],
)
def test_metrics_that_are_no_runs_are_refused_by_what_is_wrong(tmp_path, tree, change, part):
    (tmp_path / "metrics.json").write_text(json.dumps(change(tree)))
    with pytest.raises(WorkspaceError, match=part):
        read_metrics(tmp_path)


def test_metrics_that_are_missing_or_broken_are_named(tmp_path):
    with pytest.raises(WorkspaceError, match=r"metrics\.json"):
        read_metrics(tmp_path)
    (tmp_path / "metrics.json").write_text("{")
    with pytest.raises(WorkspaceError, match="not valid JSON"):
        read_metrics(tmp_path)
