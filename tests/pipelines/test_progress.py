import pytest

from pipelines.progress import Reporter, duration


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.04, "0.0 s"),
        (59.9, "59.9 s"),
        (60, "1 min 00 s"),
        (185, "3 min 05 s"),
        (3725, "1 h 02 min"),
    ],
)
def test_durations_read_as_people_say_them(seconds, text):
    assert duration(seconds) == text


def test_off_a_terminal_there_are_lines_and_no_control_characters(capsys):
    reporter = Reporter()
    with reporter.stage("baseline"), reporter.bar(2, "epochs") as advance:
        advance(1, "loss 0.5")
        advance(2, "loss [0.4]")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "  baseline 2/2 epochs  loss [0.4]\n"


def test_a_unit_counts_once_it_is_done(capsys, monkeypatch):
    monkeypatch.setattr("pipelines.progress._SECONDS_BETWEEN_LINES", 0.0)
    reporter = Reporter()
    with reporter.stage("baseline"), reporter.bar(20, "epochs") as advance:
        for completed in (0.087, 19.99, 20):
            advance(completed, "")
    lines = [f"  baseline {done}/20 epochs" for done in (0, 19, 20)]
    assert capsys.readouterr().err.splitlines() == lines


def test_quiet_is_quiet(capsys):
    reporter = Reporter(quiet=True)
    reporter.say("hello")
    with reporter.stage("a"), reporter.bar(1, "epochs") as advance:
        advance(1, "")
    reporter.done("a", "done", seconds=1, kept=False)
    assert capsys.readouterr() == ("", "")
