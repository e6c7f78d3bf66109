"""The site of the documentation: built strictly, complete, and readable without a network."""

import inspect
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import tfelastic_runtime

import tfelastic
import tflite_export
from pipelines.cli.entry import COMMANDS

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
REFERENCES = {module.__name__: module for module in (tfelastic, tflite_export, tfelastic_runtime)}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}  # An advertisement of a successor.
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.parametrize("package", REFERENCES)
def test_the_reference_has_every_public_name(package: str, site: Path) -> None:
    page = (site / "reference" / package / "index.html").read_text("utf-8")
    anchors = set(re.findall(r'<h\d id="([\w.]+)"', page))
    public = {name: getattr(REFERENCES[package], name) for name in REFERENCES[package].__all__}
    names = {
        name
        for name, value in public.items()
        if not inspect.ismodule(value) and name != "__version__"
    }
    assert {
        name for name in names if not any(anchor.endswith(f".{name}") for anchor in anchors)
    } == set()


def test_the_reference_has_every_command(site: Path) -> None:
    page = (site / "reference" / "commands" / "index.html").read_text("utf-8")
    for name in COMMANDS:
        assert re.search(rf'<h\d id="[\w-]*{name}"', page), name


def test_no_page_fetches_anything_from_elsewhere(site: Path) -> None:
    fetched = re.compile(
        r'<(?:script|img|iframe)[^>]*\ssrc="(https?:[^"]+)|<link[^>]*rel="stylesheet"[^>]*href="(https?:[^"]+)'
    )
    pages = list(site.rglob("*.html"))
    assert pages
    assert [
        (page, fetched.findall(text))
        for page in pages
        if fetched.search(text := page.read_text("utf-8"))
    ] == []
