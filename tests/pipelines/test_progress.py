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


@pytest.fixture
def clock(monkeypatch):
    """A list whose last number is the time in seconds."""
    times = [100.0]
    monkeypatch.setattr("pipelines.progress.time.monotonic", lambda: times[-1])
    return times


def test_off_a_terminal_there_are_lines_with_the_time_left_and_no_control_characters(capsys, clock):
    reporter = Reporter()
    with reporter.stage("baseline"), reporter.bar(20, "epochs") as advance:
        for seconds, completed in ((1, 0.1), (20, 4.99), (21, 5.1), (40, 10), (41, 20)):
            clock.append(100.0 + seconds)
            advance(completed, "loss [0.4]")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines() == [
        "  baseline 4/20 epochs  loss [0.4]  1 min 00 s left",
        "  baseline 10/20 epochs  loss [0.4]  40.0 s left",
        "  baseline 20/20 epochs  loss [0.4]",
    ]


def test_what_is_soon_done_leaves_no_line_in_a_log(capsys, clock):
    with Reporter().bar(2, "variants") as advance:
        for seconds in (1, 2):
            clock.append(100.0 + seconds)
            advance(seconds, "")
    assert capsys.readouterr().err == ""


def test_quiet_is_quiet(capsys):
    reporter = Reporter(quiet=True)
    reporter.say("hello")
    with reporter.stage("a"), reporter.bar(1, "epochs") as advance:
        advance(1, "")
    reporter.done("a", "done", seconds=1, kept=False)
    assert capsys.readouterr() == ("", "")
