"""Which variants are not worth their space: hardly faster than another, or slower and no more accurate.

Variants are timed whole and in turns, so that each round holds one observation of every variant made under the same
conditions. What is compared is their ratio within a round. A variant is called redundant only where the whole interval
of 95 % of the median ratio says so; where noise leaves it open, the variant stays.
"""

import itertools
import random
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from tflite_export._profile.host import RUNS_PER_TURN, Progress
from tflite_export._profile.stopping import median_interval
from tflite_export.runtimes import open_interpreter
from tflite_export.stderr import capture_stderr

FASTER = 1.1
"""How many times as fast as the variant above it a variant has to be."""

ROUNDS = 20
"""Rounds after which a decision is looked for; it is looked for again after each further one."""


@dataclass(frozen=True)
class TimedVariant:
    """A variant whose worth is in question.

    Attributes:
        name: Its name.
        score: Its score; a larger one is better.
        turns_us: Its median latency in each round, in microseconds.
    """

    name: str
    score: float
    turns_us: Sequence[float]

    @property
    def p50_us(self) -> float:
        """The median over all rounds."""
        return statistics.median(self.turns_us)


def time_in_turns(
    files: Mapping[str, bytes],
    *,
    threads: int = 1,
    limit_s: float = 20.0,
    seed: int = 0,
    progress: Progress | None = None,
) -> dict[str, list[float]]:
    """Return the latencies of files in rounds: the median of each file's turn, in microseconds, through LiteRT.

    A turn is up to ten runs, fewer where they take longer than ten milliseconds together, after one that is not
    counted; the order is shuffled anew in every round. Rounds end when it is settled for each pair of files whether
    one is 1.1 times as fast as the other, or when the time is up.

    Args:
        files: The .tflite files by name.
        threads: Threads that one inference may use.
        limit_s: Seconds after which no further round begins.
        seed: Decides the order.
        progress: Called as `progress("time", done, total)` after each round; the total may grow.
    """
    invokes = {name: open_interpreter(each, threads=threads).invoke for name, each in files.items()}
    with capture_stderr():
        for invoke in invokes.values():
            invoke()
    turns: dict[str, list[float]] = {name: [] for name in files}
    order, shuffle = list(files), random.Random(seed).shuffle
    begin, done = time.monotonic(), 0
    while done < ROUNDS or not _settled(list(turns.values())):
        if done and time.monotonic() - begin > limit_s:
            break
        shuffle(order)
        for name in order:
            turns[name].append(_turn_us(invokes[name]))
        done += 1
        if progress is not None:
            progress("time", done, max(done, ROUNDS))
    return turns


def _turn_us(invoke: Callable[[], None]) -> float:
    start = time.perf_counter_ns()
    invoke()
    first_us = max(time.perf_counter_ns() - start, 1) / 1000
    samples = []
    for _ in range(max(1, min(RUNS_PER_TURN, int(10_000 / first_us)))):
        start = time.perf_counter_ns()
        invoke()
        samples.append((time.perf_counter_ns() - start) / 1000)
    return statistics.median(samples)


def _settled(turns: Sequence[Sequence[float]]) -> bool:
    """Whether it is known of each pair of neighbours in speed if one is 1.1 times as fast as the other."""
    slowest_first = sorted(turns, key=statistics.median, reverse=True)
    for slow, fast in itertools.pairwise(slowest_first):
        interval = speed_up(slow, fast)
        if interval is None or interval[0] <= FASTER <= interval[1]:
            return False
    return True


def speed_up(slow_us: Sequence[float], fast_us: Sequence[float]) -> tuple[float, float] | None:
    """Return the 95 % interval of how many times as fast the second is; None after fewer than 6 rounds.

    Args:
        slow_us: Latencies of the one, round by round.
        fast_us: Latencies of the other in the same rounds.

    Example:
        >>> speed_up([200, 220, 210, 190, 200, 230], [100, 100, 100, 100, 100, 100])
        (1.9, 2.3)
    """
    ratios = sorted(slow / fast for slow, fast in zip(slow_us, fast_us, strict=True))
    return median_interval(ratios)


def redundant(variants: Sequence[TimedVariant]) -> dict[str, str]:
    """Return the variants that are not worth their space, each with the reason in words.

    A variant goes that is slower than another and no more accurate. Of two neighbours in speed of which neither is
    1.1 times as fast as the other, the less accurate one goes; of two as accurate, the slower one.

    Args:
        variants: The variants, timed in the same rounds.

    Example:
        >>> whole = TimedVariant("w100", 0.9, [100.0] * 10)
        >>> redundant([whole, TimedVariant("w075", 0.8, [98.0] * 10), TimedVariant("w050", 0.7, [50.0] * 10)])
        {'w075': '1.02x as fast as w100, expected at least 1.10x, and less accurate'}
    """
    reasons: dict[str, str] = {}
    for each in variants:
        for other in variants:
            if other.score >= each.score and _surely(each, other, above=1.0):
                reasons[each.name] = (
                    f"slower than {other.name} ({each.p50_us:,.0f} us against {other.p50_us:,.0f} us) and no more "
                    "accurate"
                )
                break
    left = [each for each in variants if each.name not in reasons]
    kept: TimedVariant | None = None
    for each in sorted(left, key=lambda variant: -variant.p50_us):
        if kept is not None and _surely(kept, each, below=FASTER):
            if each.score >= kept.score:
                reasons[kept.name] = _hardly(kept, each, "and no more accurate")
            else:
                reasons[each.name] = _hardly(each, kept, "and less accurate")
                continue
        kept = each
    return reasons


def _surely(
    slow: TimedVariant, fast: TimedVariant, *, above: float = 0.0, below: float = float("inf")
) -> bool:
    """Whether the whole interval of how many times as fast `fast` is lies between two bounds."""
    interval = speed_up(slow.turns_us, fast.turns_us)
    return interval is not None and above < interval[0] and interval[1] < below


def _hardly(gone: TimedVariant, kept: TimedVariant, rest: str) -> str:
    ratio = statistics.median(b / a for a, b in zip(gone.turns_us, kept.turns_us, strict=True))
    return f"{ratio:.2f}x as fast as {kept.name}, expected at least {FASTER:.2f}x, {rest}"
