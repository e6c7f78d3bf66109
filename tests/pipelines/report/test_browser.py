"""Reports as a browser shows them: on a telephone and on a desk, in light and in dark, and on paper."""

import copy
import re
import shutil
import subprocess

import pytest

from pipelines.report import compare_runs, render
from tests.support.browser import look


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours `rgb(r, g, b)` as WCAG 2 defines it, from 1 to 21."""

    def luminance(colour: str) -> float:
        shares = [int(each) / 255 for each in re.findall(r"\d+", colour)[:3]]
        linear = [s / 12.92 if s <= 0.04045 else ((s + 0.055) / 1.055) ** 2.4 for s in shares]
        return sum(w * each for w, each in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.fixture(scope="module")
def pages(full_tree, read, tmp_path_factory):
    """A run's page with all sections and very long names, and the comparison of two runs."""
    tree = copy.deepcopy(full_tree)
    tree["command"] = f"tfelastic run tiny.yaml --set data.source={'x' * 300}"
    tree["data"]["name"] = "an_unbroken_name_of_a_data_set_" * 4
    run = read(tree)
    texts = {"report": render(*run), "comparison": compare_runs({"a": run, "b": run}).page()}
    folder = tmp_path_factory.mktemp("pages")
    for name, text in texts.items():
        (folder / f"{name}.html").write_text(text, encoding="utf-8")
    return {name: folder / f"{name}.html" for name in texts}


@pytest.mark.parametrize(("name", "figures"), [("report", 9), ("comparison", 1)])
def test_a_page_fits_every_width_in_light_and_dark_without_a_complaint(
    pages, tmp_path, name, figures
):
    views = look(pages[name], tmp_path, widths=(390, 1280))
    assert {(each.width, each.scheme) for each in views} == {
        (width, scheme) for width in (390, 1280) for scheme in ("light", "dark")
    }
    for view in views:
        assert view.scroll_width <= view.client_width, view
        assert view.broken == 0
        assert len(view.figures) == figures
        for width, height in view.figures:
            assert width > 300
            assert height > 60
        assert contrast(view.ink, view.background) >= 7
    light, dark = (
        next(each for each in views if each.scheme == scheme) for scheme in ("light", "dark")
    )
    assert contrast(light.background, dark.background) > 10


def test_a_page_that_fails_is_noticed(tmp_path):
    """The checks above are no better than what they can see."""
    wide = tmp_path / "wide.html"
    wide.write_text("<body style='margin: 0'><div style='width: 700px'>wide</div>")
    first = look(wide, tmp_path, widths=(390,))[0]
    assert first.scroll_width > first.client_width
    wide.write_text("<script>console.error('broken')</script>")
    with pytest.raises(AssertionError, match="broken"):
        look(wide, tmp_path, widths=(390,))


def test_on_paper_all_figures_are_unfolded(pages, tmp_path):
    program = shutil.which("chromium")
    assert program, "chromium is not installed; make system-packages installs it"
    paper = tmp_path / "paper.pdf"
    options = ("--headless", "--no-sandbox", "--disable-gpu", "--no-pdf-header-footer")
    subprocess.run(
        [program, *options, f"--print-to-pdf={paper}", pages["report"].as_uri()],
        capture_output=True,
        timeout=120,
        check=True,
    )
    data = paper.read_bytes()
    assert data.startswith(b"%PDF")
    # Nine pictures and six tables take several sheets, and no more than two dozen.
    assert 3 <= len(re.findall(rb"/Type\s*/Page\b", data)) <= 24
