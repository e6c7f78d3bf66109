"""A measurement counts only where other processes left the machine alone."""

import pytest

from benchmarks.quiet_machine import BusyMachineError, Usage, measured_quietly


class Machine:
    """A machine on which others keep some cores busy, minute by minute of the script `others`."""

    def __init__(self, *others: float) -> None:
        self.others = list(others)
        self.wall_s = self.busy_s = self.own_s = 0.0

    def usage(self) -> Usage:
        return Usage(self.wall_s, self.busy_s, self.own_s)

    def sleep(self, seconds: float) -> None:
        self.wall_s += seconds
        self.busy_s += seconds * (self.others.pop(0) if seconds < 60 else 0)

    def work(self) -> str:
        self.wall_s += 10
        self.own_s += 20
        self.busy_s += 20 + 10 * self.others.pop(0)
        return "figures"

    def measured(self) -> str:
        return measured_quietly(self.work, usage=self.usage, sleep=self.sleep, tries=2)


def test_what_was_measured_on_a_quiet_machine_counts(capsys: pytest.CaptureFixture[str]) -> None:
    assert Machine(0.0, 0.05).measured() == "figures"
    told = capsys.readouterr()
    assert "others on 0.00 cores before, 0.05 during; load " in told.err
    assert not told.out


@pytest.mark.parametrize("script", [(5.0, 0.0, 0.0), (0.0, 5.0, 0.0, 0.0)])
def test_a_busy_try_is_repeated(
    script: tuple[float, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert Machine(*script).measured() == "figures"
    assert capsys.readouterr().err.count("busy, not counted") == 1


def test_a_machine_that_stays_busy_is_refused() -> None:
    with pytest.raises(BusyMachineError, match=r"each of 2 tries: .* got 5\.00"):
        Machine(5.0, 5.0).measured()


def test_the_counters_of_this_machine_go_up() -> None:
    before = Usage.now()
    sum(range(3_000_000))
    after = Usage.now()
    assert after.wall_s > before.wall_s
    assert after.busy_s - before.busy_s >= 0
    assert after.own_s - before.own_s > 0
