"""Every example of the documentation runs: Python blocks of the pages, and examples in docstrings.

Pages with commands between them are run by `test_walkthroughs`.
"""

import ast
import doctest
import importlib
import re
import shutil
import textwrap
from pathlib import Path

import pytest

from tests.support.stand_ins import stand_ins

ROOT = Path(__file__).parents[2]
PAGES = ("*.md", "docs/**/*.md", "runtime/**/*.md")
SOURCES = {
    **dict.fromkeys(("tfelastic", "tflite_export", "pipelines"), ROOT),
    "tfelastic_runtime": ROOT / "runtime" / "python",
}
BLOCK = re.compile(r"^ *```python\n(.*?)^ *```", re.M | re.S)

DOCUMENTED = ast.Module | ast.ClassDef | ast.FunctionDef


def pages() -> list[str]:
    found = [path for pattern in PAGES for path in ROOT.glob(pattern)]
    return sorted(
        str(path.relative_to(ROOT))
        for path in found
        if BLOCK.search(path.read_text()) and not is_walkthrough(path)
    )


def is_walkthrough(page: Path) -> bool:
    """Whether a page mixes commands and Python, each going on from what the one before left."""
    return "\n```console\n" in page.read_text("utf-8")


def modules(text: str) -> list[str]:
    """Return the modules of all packages that hold `text`."""
    found = []
    for package, folder in SOURCES.items():
        for path in (folder / package).rglob("*.py"):
            if text in path.read_text("utf-8"):
                parts = path.relative_to(folder).with_suffix("").parts
                found.append(".".join(parts).removesuffix(".__init__"))
    return sorted(found)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, object], Path]:
    folder = tmp_path_factory.mktemp("stand_ins")
    return stand_ins(folder), folder


@pytest.fixture
def names(
    shared: tuple[dict[str, object], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> dict[str, object]:
    """Return the stand-ins; the working folder holds their files."""
    names, folder = shared
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return dict(names)


@pytest.mark.parametrize("page", pages())
def test_the_blocks_of_a_page_run_top_to_bottom(page: str, names: dict[str, object]) -> None:
    names["__name__"] = page
    for block in BLOCK.findall((ROOT / page).read_text()):
        exec(compile(block, page, "exec"), names)


@pytest.mark.parametrize("name", modules("```python"))
def test_the_blocks_of_a_docstring_run(name: str, names: dict[str, object]) -> None:
    source = Path(str(importlib.import_module(name).__file__)).read_text("utf-8")
    nodes = (node for node in ast.walk(ast.parse(source)) if isinstance(node, DOCUMENTED))
    blocks = [block for node in nodes for block in BLOCK.findall(ast.get_docstring(node) or "")]
    assert len(blocks) == source.count("```python")
    for block in blocks:
        exec(compile(textwrap.dedent(block), name, "exec"), names)


@pytest.mark.parametrize("name", modules(">>> "))
def test_the_examples_of_docstrings_give_what_they_say(name: str, names: dict[str, object]) -> None:
    module = importlib.import_module(name)
    found = doctest.DocTestFinder().find(module, globs={**names, **vars(module)})
    examples = [example for test in found for example in test.examples]
    assert examples
    assert not [example.source for example in examples if doctest.SKIP in example.options]
    runner, report = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS), list[str]()
    for test in found:
        runner.run(test, out=report.append)
    assert not runner.failures, "".join(report)
