"""What a timing benchmark owes its reader: the machine's load before and after, and a repeat when it was busy."""

import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

#: Share of the machine's cores that other processes may keep busy.
LOAD_LIMIT = 0.1
#: Seconds over which the machine is watched before a measurement.
WATCH_S = 5.0


class BusyMachineError(RuntimeError):
    """Other processes had the machine's cores, in every try."""


@dataclass(frozen=True)
class Usage:
    """Seconds so far: of the clock, of all cores' work, and of this process and its ended children."""

    wall_s: float
    busy_s: float
    own_s: float

    @classmethod
    def now(cls) -> "Usage":
        """Read the counters of Linux (`man 5 proc_stat`)."""
        user, nice, system, _, _, *interrupts = Path("/proc/stat").read_text().split()[1:9]
        ticks = sum(map(int, (user, nice, system, *interrupts)))
        return cls(time.monotonic(), ticks / os.sysconf("SC_CLK_TCK"), sum(os.times()[:4]))

    def others_since(self, start: "Usage") -> float:
        """Return how many cores other processes kept busy since `start`, on average."""
        others = (self.busy_s - start.busy_s) - (self.own_s - start.own_s)
        return max(0.0, others) / (self.wall_s - start.wall_s)


def measured_quietly(
    measure: Callable[[], T],
    *,
    tries: int = 3,
    wait_s: float = 60.0,
    usage: Callable[[], Usage] = Usage.now,
    sleep: Callable[[float], None] = time.sleep,
) -> T:
    """Return what `measure` found in a try during which the machine had nothing else to do.

    Every try prints, to standard error, the load before and after, and the cores that other processes kept busy
    before and during it. A try during which they kept more than a tenth of the cores busy does not count.

    Args:
        measure: Makes the measurements that are compared with each other.
        tries: How often to try.
        wait_s: Seconds to wait after a try that does not count.
        usage: Reads the counters.
        sleep: Lets seconds pass.

    Raises:
        BusyMachineError: The machine was busy in every try.
    """
    limit = LOAD_LIMIT * (os.cpu_count() or 1)
    for attempt in range(tries):
        if attempt:
            sleep(wait_s)
        watched, load = usage(), os.getloadavg()[0]
        sleep(WATCH_S)
        before = usage()
        others = before.others_since(watched)
        report = f"load {load:.2f}, others on {others:.2f} cores before"
        if others <= limit:
            found = measure()
            others = usage().others_since(before)
            report += f", {others:.2f} during; load {os.getloadavg()[0]:.2f} after"
            if others <= limit:
                print(report, file=sys.stderr)
                return found
        print(f"{report}: busy, not counted", file=sys.stderr)
    raise BusyMachineError(
        f"the machine was busy in each of {tries} tries: expected other processes to take at most "
        f"{limit:.2f} cores, got {others:.2f}; end them, or measure on a quiet machine"
    )
