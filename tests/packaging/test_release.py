"""What a release states in several places agrees, and its files say what they are to."""

import configparser
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement

import tfelastic
from pipelines.cli.doctor import EXTRAS

ROOT = Path(__file__).parents[2]
PAPERS = {"2505.11569", "2312.16904", "2208.12816"}
TEMPLATES = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*_*.yml"))


def text(path: str) -> str:
    return (ROOT / path).read_text("utf-8")


def read_yaml(path: str | Path) -> Any:
    return yaml.safe_load((ROOT / path).read_text("utf-8"))


def extras() -> dict[str, list[Requirement]]:
    """Return what each extra of the main distribution brings."""
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    found = config["options.extras_require"]
    return {name: [Requirement(line) for line in found[name].split("\n") if line] for name in found}


def commands(target: str) -> list[str]:
    """Return the recipe lines of one of the Makefile's targets."""
    (recipe,) = re.findall(rf"^{target}:.*\n((?:\t.*\n)+)", text("Makefile"), re.M)
    return [line.strip() for line in recipe.splitlines()]


def test_every_place_states_one_version() -> None:
    version = tfelastic.__version__
    assert read_yaml("CITATION.cff")["version"] == version
    assert re.findall(r"^version = (.*)$", text("runtime/python/setup.cfg"), re.M) == [version]
    (runtime,) = (each for each in extras()["tensorflow"] if each.name == "tfelastic-runtime")
    assert str(runtime.specifier) == f"=={version}"
    gradle = text("examples/android/app/build.gradle.kts")
    assert re.findall(r'versionName = "(.*)"', gradle) == [version]


def test_the_changelog_begins_with_this_version() -> None:
    headings = re.findall(r"^## (.*)$", text("CHANGELOG.md"), re.M)
    number, state = re.fullmatch(r"(\S+) \((unreleased|\d{4}-\d\d-\d\d)\)", headings[0]).groups()
    assert number == tfelastic.__version__
    released = [re.fullmatch(r"\S+ \((\d{4}-\d\d-\d\d)\)", each) for each in headings[1:]]
    assert all(released), "only the first may be unreleased"
    dates = [each[1] for each in released] if state == "unreleased" else [state]
    assert dates == sorted(dates, reverse=True)


def test_the_citation_names_the_three_papers() -> None:
    citation = read_yaml("CITATION.cff")
    assert {"cff-version", "message", "title", "authors", "version"} <= citation.keys()
    assert citation["license"] == "Apache-2.0"
    found = {each["url"].removeprefix("https://arxiv.org/abs/") for each in citation["references"]}
    assert found == PAPERS
    for each in citation["references"]:
        assert each["title"]
        assert all(author.keys() == {"family-names", "given-names"} for author in each["authors"])
        number = each["url"].rpartition("/")[2]
        assert each["identifiers"] == [{"type": "other", "value": f"arXiv:{number}"}]
        # The number begins with the year and month in which the paper was handed in.
        assert each["year"] == 2000 + int(number[:2])


def test_the_workflow_runs_what_continuous_integration_runs() -> None:
    jobs = read_yaml(".github/workflows/ci.yml")["jobs"]
    assert [step["run"] for step in jobs["test"]["steps"] if "run" in step] == [".ci/run"]
    assert text(".ci/run").splitlines()[-1] == "exec make test"
    assert (ROOT / ".ci" / "run").stat().st_mode & 0o111
    assert [step["run"] for step in jobs["distributions"]["steps"] if "run" in step] == [
        "make dist"
    ]
    assert jobs["distributions"]["needs"] == "test"
    for job in jobs.values():
        assert job["container"] == "python:3.11-bookworm"
        actions = [step["uses"] for step in job["steps"] if "uses" in step]
        assert all(re.fullmatch(r"[\w/-]+@v\d+\.\d+\.\d+", action) for action in actions)


def test_the_hooks_are_the_static_checks() -> None:
    (local,) = read_yaml(".pre-commit-config.yaml")["repos"]
    assert local["repo"] == "local"
    entries = [hook["entry"] for hook in local["hooks"]]
    assert entries == [line.replace("$(BIN)", ".venv/bin") for line in commands("check")]
    for hook in local["hooks"]:
        assert (hook["language"], hook["pass_filenames"]) == ("system", False)


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.stem)
def test_an_issue_template_is_a_form(path: Path) -> None:
    form = read_yaml(path)
    assert form.keys() == {"name", "description", "labels", "body"}
    identifiers = [field["id"] for field in form["body"]]
    assert len(identifiers) == len(set(identifiers))
    for field in form["body"]:
        assert field["type"] in ("input", "textarea")
        assert field["attributes"]["label"]
    assert any(field.get("validations") == {"required": True} for field in form["body"])


def test_there_are_templates_for_faults_and_wishes() -> None:
    assert [path.stem for path in TEMPLATES] == ["bug_report", "feature_request"]


def test_one_extra_brings_all_that_commands_can_use() -> None:
    """And the doctor looks for each of its packages."""
    found = extras()
    everything = {str(each) for each in found["all"]}
    parts = found.keys() - {"all", "dev", "fuzz", "site"}
    assert everything == {str(each) for name in parts for each in found[name]}
    assert everything < {str(each) for each in found["dev"]}
    assert EXTRAS.keys() == {"base", *parts}
    # `importlib_resources` is what tensorflow-datasets forgets to ask for.
    unasked = {"importlib_resources"}
    for name in parts:
        assert set(EXTRAS[name]) == {each.name for each in found[name]} - unasked
