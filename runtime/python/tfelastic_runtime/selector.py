"""Running the best variant that keeps a latency budget on this device."""

from __future__ import annotations

import functools
import os
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType, TracebackType

import numpy as np

from tfelastic_runtime.bundle import Bundle
from tfelastic_runtime.errors import (
    BackendError,
    BudgetError,
    ClosedError,
    InputError,
    ProfileError,
)
from tfelastic_runtime.interface import OutputSpec
from tfelastic_runtime.latency import Latency, Profile, measure
from tfelastic_runtime.policy import Policy, check_budget_us
from tfelastic_runtime.row import Row
from tfelastic_runtime.runner import Inputs, Outputs, Runner, RunnerPool, blank_inputs
from tfelastic_runtime.slowdown import ONE_Q16

ProfileSource = Profile | Mapping[str, Latency] | str | os.PathLike[str]


@dataclass(frozen=True, eq=False, slots=True)
class Result:
    """One inference.

    Attributes:
        outputs: float32 arrays by the outputs' names, without the first axis.
        variant: The name of the variant that ran.
        latency_us: What it took, in microseconds, with encoding the inputs and decoding the outputs.
        predicted_us: What nine runs of ten were predicted to keep.
        feasible: Whether the prediction kept the budget; if not, the fastest variant ran.
        failures: Variants that this selector no longer uses, as they could not be opened or run, and
            why, by name.
        classifier: The one output that is a classifier's with labels; None where there is none.
    """

    outputs: Mapping[str, np.ndarray]
    variant: str
    latency_us: int
    predicted_us: int
    feasible: bool
    failures: Mapping[str, str]
    classifier: OutputSpec | None

    @property
    def label(self) -> str | None:
        """The most likely class's label; None where no output has labels."""
        if self.classifier is None or self.classifier.labels is None:
            return None
        return self.classifier.labels[int(self.outputs[self.classifier.name].argmax())]

    @property
    def output(self) -> np.ndarray:
        """The only output of a network that has one.

        Raises:
            ValueError: The network has several; `outputs` has them by name.
        """
        if len(self.outputs) != 1:
            raise ValueError(
                f"the network has the outputs {', '.join(map(repr, self.outputs))}: "
                "take one from result.outputs by its name"
            )
        return next(iter(self.outputs.values()))


class Selector:
    """Runs a bundle's variants under a latency budget; `Selector.open` makes one.

    Every run chooses anew: the variant of the best score whose measured latency, scaled by how slow the
    device is now, keeps the budget. One that cannot be opened or run is chosen no more. Several threads
    may share a selector; their runs take turns.

    Args:
        pool: Opens the variants.
        budget_us: The latency that nine runs of ten should keep, in microseconds.
        profile: The variants' latencies on this device; None measures them now.
        clock: Returns a time in nanoseconds that never runs backwards.

    Raises:
        BackendError: No variant runs.

    Examples:
        >>> with Selector.open("model.elastic", budget_ms=5.0) as selector:
        ...     result = selector.run(image)
    """

    def __init__(
        self,
        pool: RunnerPool,
        *,
        budget_us: int,
        profile: ProfileSource | None = None,
        clock: Callable[[], int] = time.perf_counter_ns,
    ) -> None:
        self._budget_us = check_budget_us(budget_us)
        self._pool = pool
        self._clock = clock
        self._lock = threading.Lock()
        self._closed = False
        self._failures: Mapping[str, str] = MappingProxyType({})
        latencies = self._measured() if profile is None else _latencies(profile, pool)
        self._latencies = MappingProxyType(latencies)
        manifest = pool.bundle.manifest
        candidates = [variant for variant in manifest.variants if variant.name in latencies]
        self._names = [variant.name for variant in candidates]
        self._policy = Policy(
            [latencies[each.name].row(manifest.score.order(each.score)) for each in candidates]
        )
        # What the runs have in common is worked out once: an inference may take a millisecond.
        self._classifier = manifest.classifier
        self._rows: list[Row] = []
        self._rows_are_of = -1

    @classmethod
    def open(
        cls,
        bundle: str | os.PathLike[str] | Bundle,
        *,
        budget_ms: float | None = None,
        budget_us: int | None = None,
        profile: ProfileSource | None = None,
        threads: int = 1,
        resident: int = 2,
        xnnpack: bool = True,
    ) -> Selector:
        """Open a bundle for running under a budget.

        Args:
            bundle: A bundle, or its path.
            budget_ms: The latency that nine runs of ten should keep, in milliseconds.
            budget_us: The same in microseconds; exactly one of the two is given.
            profile: The variants' latencies on this device: a `Profile` (one that travels in the
                bundle is `bundle.manifest.profiles[i]`), the path of a `profile.json`, or one
                `Latency` per variant name. None measures them now, 20 runs each.
            threads: How many threads an interpreter may use.
            resident: How many variants may be open at once; each costs its weights in memory.
            xnnpack: Whether XNNPACK's kernels run what they can; otherwise LiteRT's own do.

        Raises:
            BundleError: The bundle is damaged or of a newer format.
            BudgetError: Not exactly one budget is given, or it is out of range.
            ProfileError: The profile is malformed, or not of this bundle, these threads and kernels.
            BackendError: The variants were to be measured, and none runs.
            OSError: A file cannot be opened.
        """
        budget = _microseconds(budget_ms, budget_us)
        opened = bundle if isinstance(bundle, Bundle) else Bundle.open(bundle)
        if isinstance(profile, str | os.PathLike):
            profile = Profile.load(profile)
        if isinstance(profile, Profile):
            _check_kernels(profile.kernels, "xnnpack" if xnnpack else "builtin")
        pool = RunnerPool(
            opened,
            threads=threads,
            resident=resident,
            open_runner=functools.partial(Runner, xnnpack=xnnpack),
        )
        return cls(pool, budget_us=budget, profile=profile)

    def run(self, inputs: Inputs) -> Result:
        """Run the variant that the budget allows; where it cannot be opened or run, the next best.

        Opening a variant that is not resident comes on top of the latency that is reported.

        Args:
            inputs: An array for a network of one input, else arrays by the inputs' names, each without
                the first axis: uint8 `[height, width, channels]`, raw pixels, for an image; floating
                point for values.

        Raises:
            InputError: An input is missing, unknown, of another shape or dtype, or not finite.
            BackendError: No variant runs; the message tells each one's reason.
            ClosedError: The selector is closed.
        """
        with self._lock:
            self._check_open()
            while self._names:
                choice = self._policy.choose(self._budget_us, self._rows_now())
                name = self._names[choice.index]
                taken = self._attempt(name, inputs)
                if taken:
                    break
                self._policy.remove(choice.index)
                self._names.remove(name)
                self._rows_are_of = -1
            else:
                raise self._no_variant_runs()
            outputs, latency_us = taken
            self._policy.observe(latency_us)
            failures = self._failures
        return Result(
            outputs,
            name,
            latency_us,
            choice.predicted_us,
            choice.feasible,
            failures,
            self._classifier,
        )

    @property
    def budget_us(self) -> int:
        """The latency that nine runs of ten should keep, in microseconds; can be set."""
        return self._budget_us

    @budget_us.setter
    def budget_us(self, value: int) -> None:
        self._budget_us = check_budget_us(value)

    @property
    def slowdown(self) -> float:
        """How much slower the device is now than when its latencies were measured."""
        return self._policy.slowdown.q16 / ONE_Q16

    @property
    def latencies(self) -> Mapping[str, Latency]:
        """The table that the selector started from, by variant name."""
        return self._latencies

    def close(self) -> None:
        """Close every open variant, after a run that is under way. Closing again does nothing."""
        with self._lock:
            self._closed = True
            self._pool.close()

    def __enter__(self) -> Selector:
        self._check_open()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _check_open(self) -> None:
        if self._closed:
            raise ClosedError("the selector is closed: open the bundle again with Selector.open")

    def _rows_now(self) -> list[Row]:
        """Return the policy's rows; switching to an open variant takes no time."""
        if self._pool.changes != self._rows_are_of:
            self._rows_are_of, opened = self._pool.changes, self._pool.open_names
            self._rows = [
                replace(row, switch_us=0) if row.switch_us and name in opened else row
                for row, name in zip(self._policy.table, self._names, strict=True)
            ]
        return self._rows

    def _attempt(self, name: str, inputs: Inputs) -> tuple[Outputs, int] | None:
        """Run a variant and return its outputs and latency; None where it fails, now and for ever."""
        try:
            runner = self._pool.get(name, inputs)
            start = self._clock()
            outputs = runner.run(inputs)
            # Rounded up, so that no latency is ever reported as nothing.
            return outputs, max(-(-(self._clock() - start) // 1000), 1)
        except InputError:
            raise
        except Exception as cause:  # noqa: BLE001 - kernels and delegates fail in their own ways.
            self._pool.discard(name)
            reason = str(cause) or type(cause).__name__
            self._failures = MappingProxyType({**self._failures, name: reason})
            return None

    def _measured(self) -> dict[str, Latency]:
        blank = blank_inputs(self._pool.bundle.manifest.inputs)
        names = [variant.name for variant in self._pool.bundle.variants]

        def run(name: str) -> int | None:
            taken = self._attempt(name, blank)
            return taken and taken[1]

        latencies = measure(names, run)
        if not latencies:
            raise self._no_variant_runs()
        return latencies

    def _no_variant_runs(self) -> BackendError:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in self._failures.items())
        return BackendError(f"no variant runs: {reasons}")


def _microseconds(budget_ms: float | None, budget_us: int | None) -> int:
    if (budget_ms is None) == (budget_us is None):
        raise BudgetError(
            "give exactly one of budget_ms and budget_us, "
            f"received budget_ms={budget_ms!r}, budget_us={budget_us!r}"
        )
    if budget_us is not None:
        return check_budget_us(budget_us)
    # A comparison is false for NaN, which therefore ends here too; the upper bound keeps round()
    # exact.
    if (
        isinstance(budget_ms, bool)
        or not isinstance(budget_ms, int | float)
        or not 0 < budget_ms < 1e9
    ):
        raise BudgetError(
            f"budget_ms must be a positive number of milliseconds, received {budget_ms!r}"
        )
    return check_budget_us(max(round(budget_ms * 1000), 1))


def _check_kernels(measured: str | None, opened: str) -> None:
    if measured in ("xnnpack", "builtin") and measured != opened:
        raise ProfileError(
            f"the profile was measured with the kernels {measured!r}, the selector is opened with "
            f"{opened!r}: open it with xnnpack={measured == 'xnnpack'}, or measure anew"
        )


def _latencies(profile: ProfileSource, pool: RunnerPool) -> dict[str, Latency]:
    """Return one latency per variant of the pool's bundle, from any source."""
    if isinstance(profile, str | os.PathLike):
        profile = Profile.load(profile)
    if not isinstance(profile, Profile):
        if not isinstance(profile, Mapping):
            raise ProfileError(f"the profile is none: expected a table, received {profile!r}")
        for name, latency in profile.items():
            if not isinstance(latency, Latency):
                raise ProfileError(f"profile[{name!r}]: expected a Latency, received {latency!r}")
        profile = Profile({}, pool.threads, profile)
    if profile.threads != pool.threads:
        raise ProfileError(
            f"the profile was measured with threads={profile.threads}, the selector is opened "
            f"with threads={pool.threads}: open it with the same number, or measure anew"
        )
    pool.bundle.check_profile(profile)
    return dict(profile.latencies)
