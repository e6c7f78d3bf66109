"""What a simulation takes and tells: candidates, noise, outcomes and the report."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from tfelastic_runtime import Bundle, Profile, ProfileError, Row, dominated

from tflite_export.errors import SimulationError


@dataclass(frozen=True)
class Candidate:
    """One variant of the simulated bundle.

    Attributes:
        name: The variant's name.
        score: Its score, of which the larger is the better.
        row: What the policy knows of it.
    """

    name: str
    score: float
    row: Row


def candidates(bundle: Bundle, profile: Profile) -> list[Candidate]:
    """Return a bundle's variants with their latencies on one device.

    Args:
        bundle: The bundle.
        profile: A table that names the bundle's variants and no other.

    Raises:
        SimulationError: The table is of another bundle.
    """
    try:
        bundle.check_profile(profile)
    except ProfileError as cause:
        raise SimulationError(str(cause)) from cause
    score = bundle.manifest.score
    sign = 1 if score.higher_is_better else -1
    return [
        Candidate(
            variant.name,
            sign * variant.score,
            profile.latencies[variant.name].row(score.order(variant.score)),
        )
        for variant in bundle.variants
    ]


def never_chosen(bundle: Bundle, profile: Profile) -> dict[str, str]:
    """Return the variants that no budget chooses on a device, each with one that is as good and as fast.

    Such a variant takes space for nothing.

    Args:
        bundle: The bundle.
        profile: A table that names the bundle's variants and no other.

    Raises:
        SimulationError: The table is of another bundle.
    """
    found = candidates(bundle, profile)
    pairs = dominated([each.row for each in found]).items()
    return {found[never].name: found[better].name for never, better in pairs}


@dataclass(frozen=True)
class Noise:
    """What disturbs single runs.

    Attributes:
        spread: Standard deviation of the logarithm of a run's latency.
        stalls: Share of the runs that stall.
        stall_factors: The least and the greatest factor of a stall; factors between them are equally
            likely.
    """

    spread: float = 0.06
    stalls: float = 0.01
    stall_factors: tuple[float, float] = (3.0, 8.0)

    def __post_init__(self) -> None:
        least, greatest = self.stall_factors
        if not 0 <= self.spread <= 2 or not 0 <= self.stalls <= 1 or not 1 <= least <= greatest:
            raise SimulationError(
                "noise: expected a spread in 0 .. 2, a share of stalls in 0 .. 1 and factors of at "
                f"least 1 in ascending order, received {self}"
            )

    def factors(self, runs: int, rng: np.random.Generator) -> np.ndarray:
        """Draw what each run's latency is multiplied by, float64 `[runs]`."""
        noise = rng.lognormal(0.0, self.spread, runs)
        stalled = rng.random(runs) < self.stalls
        return np.where(stalled, noise * rng.uniform(*self.stall_factors, runs), noise)


USUAL_NOISE = Noise()
"""Noise of 6 %, and one stall in a hundred."""


@dataclass(frozen=True, eq=False)
class Outcome:
    """What one chooser did.

    Attributes:
        name: The chooser's name, or the static variant's.
        misses: Share of the runs over budget, among those in which the oracle keeps it.
        mean_score: Mean score of the variants that ran.
        of_oracle: Share of the way from the fastest variant's score to the oracle's; None where
            there is no way.
        of_knowing: The same to the score of the chooser that knows the slowdown.
        switches: How often another variant ran than in the run before.
        chosen: The variant of each run, int64 `[runs]`.
        latencies_us: The latency of each run in microseconds with switching, int64 `[runs]`.
    """

    name: str
    misses: float
    mean_score: float
    of_oracle: float | None
    of_knowing: float | None
    switches: int
    chosen: np.ndarray
    latencies_us: np.ndarray

    def to_json(self) -> dict[str, Any]:
        """Return the figures as plain data, without the single runs."""
        return {
            "name": self.name,
            "misses": self.misses,
            "mean_score": self.mean_score,
            "of_oracle": self.of_oracle,
            "of_knowing": self.of_knowing,
            "switches": self.switches,
        }


@dataclass(frozen=True, eq=False)
class SimulationReport:
    """What `simulate` found.

    Attributes:
        trace: The trace's name.
        budget_us: The budget in microseconds.
        seed: The seed of trace and noise.
        noise: What disturbed single runs.
        kept: Share of the runs in which the oracle keeps the budget.
        table: The variants.
        slowdown: The trace, float64 `[runs]`.
        outcomes: The policy, the references `kalman`, `knowing slowdown` and `oracle`, and every
            variant on its own.
    """

    trace: str
    budget_us: int
    seed: int
    noise: Noise
    kept: float
    table: tuple[Candidate, ...]
    slowdown: np.ndarray
    outcomes: tuple[Outcome, ...]

    def __getitem__(self, name: str) -> Outcome:
        """Return a chooser's outcome."""
        for outcome in self.outcomes:
            if outcome.name == name:
                return outcome
        known = ", ".join(outcome.name for outcome in self.outcomes)
        raise SimulationError(f"unknown chooser {name!r}; known are {known}")

    def __iter__(self) -> Iterator[Outcome]:
        return iter(self.outcomes)

    def to_json(self) -> dict[str, Any]:
        """Return the report as plain data."""
        return {
            "trace": self.trace,
            "budget_us": self.budget_us,
            "runs": len(self.slowdown),
            "seed": self.seed,
            "noise": {
                "spread": self.noise.spread,
                "stalls": self.noise.stalls,
                "stall_factors": list(self.noise.stall_factors),
            },
            "kept": self.kept,
            "outcomes": [outcome.to_json() for outcome in self.outcomes],
        }

    def __str__(self) -> str:
        lines = [f"{'chooser':<20}{'misses':>9}{'of oracle':>11}{'of knowing':>12}{'switches':>10}"]
        for each in self.outcomes:
            shares = [
                "-" if share is None else f"{share:.1%}"
                for share in (each.of_oracle, each.of_knowing)
            ]
            lines.append(
                f"{each.name:<20}{each.misses:>9.2%}{shares[0]:>11}{shares[1]:>12}"
                f"{each.switches:>10,}"
            )
        return "\n".join(lines)
