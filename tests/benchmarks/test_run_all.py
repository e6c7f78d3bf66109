"""The driver runs each benchmark in a process of its own, and its page says what came of it."""

import sys
import textwrap

import pytest

from benchmarks import run_all
from benchmarks.run_all import Benchmark, Row, found_in, number, page, run, run_in_turn, table_in

pytestmark = pytest.mark.slow


@pytest.fixture
def fake(tmp_path, monkeypatch):
    """Makes a benchmark of a program's text."""

    def make(program: str) -> Benchmark:
        folder = tmp_path / "benchmarks"
        folder.mkdir()
        (folder / "__init__.py").touch()
        (folder / "fake.py").write_text(textwrap.dedent(program))
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))
        monkeypatch.chdir(tmp_path)
        return Benchmark("fake", ("--quick", "PLACE"), rows)

    return make


def rows(text: str):
    for each in found_in(text):
        yield Row(each["net"], each["ours"], each["peer"], "theirs")


def test_figures_become_rows(fake):
    benchmark = fake(
        """
        import sys
        print("load 0.1 before", file=sys.stderr)
        print("a line of text")
        print('{"net": "%s", "ours": 1.5, "peer": 3}' % sys.argv[2])
        """
    )
    result = run(benchmark, {"PLACE": "resnet"})
    assert result.rows == (Row("resnet", 1.5, 3, "theirs"),)
    assert not result.failure
    text = page([result], load=(0.1, 0.2))
    line = "| resnet | `python -m benchmarks.fake --quick PLACE` | 1.5 | 3 (theirs) | 0.50 |"
    assert line in text.splitlines()
    assert "load 0.10 before and 0.20 after" in text


@pytest.mark.parametrize(
    ("program", "failure"),
    [
        ("raise SystemExit('the machine was busy')", "the machine was busy"),
        ("print('nothing')", "it printed no figure"),
        ("print('{\"net\": 1}')", "its figures cannot be read: KeyError: 'ours'"),
        ("import time; time.sleep(60)", "took more than 1 s"),
    ],
)
def test_what_fails_has_a_row_that_says_so(fake, program, failure):
    result = run(fake(program), {}, limit_s=1.0)
    if "time" not in program and "more than" in result.failure:  # The machine was very busy.
        result = run(result.benchmark, {}, limit_s=60.0)
    assert result.failure == failure
    assert f"failed: {failure}" in page([result], load=(0, 0))


def test_what_no_time_is_left_for_is_left_out(fake):
    benchmark = fake("import time; time.sleep(60)")
    first, second = run_in_turn([benchmark, benchmark], {}, total_s=0.5)
    assert first.failure == "took more than 0 s"
    assert second.failure.startswith("left out")


def test_the_tables_of_a_benchmark_are_read():
    text = "| net | ours |\n|---|---:|\n| a | 1,234 (5 %) |\n\nmore\n\n| `x` |\n|--|\n| 12.5% |\n"
    assert list(table_in(text)) == [{"net": "a", "ours": "1,234 (5 %)"}, {"x": "12.5%"}]
    assert list(table_in("| net | a | a |\n|---|--|--|\n| x | 1 | 2 |\n")) == [
        {"net": "x", "a": "1"}
    ]
    assert [number("1,234 (5 %)"), number("12.5%"), number("1.5x")] == [1234, 12.5, 1.5]


def test_every_benchmark_of_the_table_is_there():
    folder = run_all.Path(run_all.__file__).parent
    assert all((folder / f"{each.name}.py").exists() for each in run_all.BENCHMARKS)
    assert sys.executable
