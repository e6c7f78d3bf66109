"""Pages to be followed from top to bottom: their commands and Python blocks run in turn, in one folder."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.test_examples import ROOT, is_walkthrough

pytestmark = pytest.mark.slow

BLOCK = re.compile(r"^```(console|python)\n(.*?)^```", re.M | re.S)
TFELASTIC = (sys.executable, "-c", "from pipelines.cli import main; main()")

PAGES = sorted(
    str(page.relative_to(ROOT)) for page in ROOT.glob("docs/**/*.md") if is_walkthrough(page)
)


@pytest.mark.parametrize("page", PAGES)
def test_a_walkthrough_runs_from_top_to_bottom(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"__name__": page}
    for kind, text in BLOCK.findall((ROOT / page).read_text("utf-8")):
        if kind == "python":
            exec(compile(text, page, "exec"), names)
            continue
        for line in text.splitlines():
            program, *arguments = shlex.split(line)
            assert program == "tfelastic"
            done = subprocess.run([*TFELASTIC, *arguments], capture_output=True, text=True)
            assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
