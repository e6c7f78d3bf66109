"""Every command line of the documentation is one: its command, options, choices and recipe keys are there.

`test_walkthroughs` runs those of the tutorial; here nothing is run.
"""

import re
import shlex
from pathlib import Path

import click
import pytest

from pipelines.cli.entry import tfelastic
from pipelines.cli.run import Changes
from tests.docs.test_examples import ROOT

PAGES = ("README.md", "docs/**/*.md", "examples/**/*.md", "runtime/**/README.md")
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.M | re.S)
COMMAND = r"tfelastic (?:--import \S+ )?[a-z]+"
#: What stands for the reader's own in tables.
MEANT = {"MS": "5", "NAME": "step"}
#: Where the reader is to put in what is theirs, or where a page leaves out what it said before.
LEFT_OUT = re.compile(r"\.\.\.|\\\||[\[\]](?!\d)")


def lines() -> list[tuple[str, str]]:
    """Return each page with each whole command line on it: those in blocks, and inline ones with an argument."""
    found = []
    for page in sorted({path for pattern in PAGES for path in ROOT.glob(pattern)}):
        text = page.read_text("utf-8")
        shell = [block for language, block in BLOCK.findall(text) if language in ("", "console")]
        commands = re.findall(rf"^{COMMAND} .+", "\n".join(shell).replace("\\\n", " "), re.M)
        commands += re.findall(rf"`({COMMAND} [^-`][^`]*)`", text)
        found += [
            (str(page.relative_to(ROOT)), line)
            for line in dict.fromkeys(commands)
            if not LEFT_OUT.search(line.replace("'ladder.widths=[1,0.75,0.5,0.25]'", ""))
        ]
    return found


def parsed(words: list[str]) -> click.Context:
    """Return a command's context for the words of a line, as click reads them."""
    with tfelastic.make_context("tfelastic", list(words)) as outer:
        name, command, rest = tfelastic.resolve_command(
            outer, [*outer._protected_args, *outer.args]
        )
        assert command is not None, name
        return command.make_context(name, rest, parent=outer)


@pytest.mark.parametrize(("page", "line"), lines())
def test_a_command_line_is_one(page: str, line: str, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    _, *words = (MEANT.get(word, word) for word in shlex.split(line, comments=True))
    for word in words:
        if re.search(r"\.(elastic|json|keras|npz|py)$|^FILE$|^PROFILE", word):
            Path(word).parent.mkdir(parents=True, exist_ok=True)
            Path(word).touch()
    context = parsed(words)
    given = context.params
    assert context.command.callback is not None
    if context.info_name == "run" and not given["recipe"].endswith(".yaml"):
        names = ("schedule", "overrides", "data_dir", "strict")
        changes = {name: given[name] for name in names if name in given}
        assert Changes(**changes).load(given["recipe"]).name


def test_pages_have_commands() -> None:
    """The pattern finds them."""
    assert len(lines()) > 30
    assert {"README.md", "docs/tutorial.md", "docs/your_task.md"} <= {page for page, _ in lines()}
