"""`Budget`: what may be spent, in one resource or several."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Protocol

import keras

from tfelastic._cost.cost import cost_of, macs_of, params_of
from tfelastic._cost.file_size import resident_bytes, tflite_bytes
from tfelastic._plan import KeepPlan, Selection
from tfelastic.errors import BudgetError
from tfelastic.graph import LayerGraph, trace


class LatencyModel(Protocol):
    """Prices the latency of a plan that is not built yet."""

    def latency_us(self, selection: Selection) -> float:
        """Return the predicted latency of one inference, in microseconds."""
        ...


@dataclass(frozen=True)
class Budget:
    """What may be spent. Several resources at once are allowed: the one that binds decides.

    Each value is either a share of what the unpruned model spends (a float of at most 1.0, such as `macs=0.5`) or an
    absolute amount (a number above 1).

    Attributes:
        params: Parameters, trained or not.
        macs: Multiply-accumulate operations per sample.
        peak_bytes: Peak activation memory in int8, in bytes.
        tflite_bytes: The estimated size of the int8 .tflite file, in bytes.
        resident_bytes: The estimated memory of an open int8 variant on a phone, in bytes: the file, its weights once
            more as XNNPACK repacks them, and the activations' peak.
        latency_us: Predicted latency of one inference in microseconds; needs `latency`.
        latency: What prices latency, such as a `LatencyTable` of measured operations.

    Raises:
        BudgetError: No resource is limited, an amount is not positive, or a latency has nothing to price it.

    Examples:
        >>> Budget(macs=0.5, params=100_000).limits({"params": 400_000, "macs": 10_000_000})
        {'params': 100000, 'macs': 5000000.0}
    """

    params: float | None = None
    macs: float | None = None
    peak_bytes: float | None = None
    tflite_bytes: float | None = None
    resident_bytes: float | None = None
    latency_us: float | None = None
    latency: LatencyModel | None = None

    def __post_init__(self) -> None:
        if not self.resources:
            raise BudgetError(
                f"a budget limits at least one of {', '.join(RESOURCES)}; received none"
            )
        for name in self.resources:
            if not getattr(self, name) > 0:
                raise BudgetError(
                    f"a budget's {name} is positive, received {getattr(self, name)!r}"
                )
        if self.latency_us is not None and self.latency is None:
            raise BudgetError(
                "a budget of latency_us needs `latency`, a table of measured operations, to price plans"
            )

    @property
    def resources(self) -> tuple[str, ...]:
        """The names of the limited resources."""
        return tuple(name for name in RESOURCES if getattr(self, name) is not None)

    def limits(self, unpruned: Mapping[str, float]) -> dict[str, float]:
        """Return the absolute limits, given what the unpruned model spends of each resource.

        Raises:
            BudgetError: Any inference takes longer than the latency that is allowed, however small the model.
        """
        values = {name: getattr(self, name) for name in self.resources}
        limits = {
            name: value * unpruned[name] if value <= 1 else value for name, value in values.items()
        }
        overhead_us = getattr(self.latency, "overhead_us", 0.0)
        if (allowed_us := limits.get("latency_us", float("inf"))) <= overhead_us:
            raise BudgetError(
                f"latency_us of {allowed_us:,.1f} us is out of reach: any inference was measured to take "
                f"{overhead_us:,.1f} us, however small the model",
                "allow more",
            )
        return limits

    def spending(self, selection: Selection) -> dict[str, float]:
        """Return what a plan spends of each limited resource."""
        spent: dict[str, float] = {}
        if self.params is not None:
            # Counted apart: parameters alone do not depend on the input's size, which a model may leave open.
            spent["params"] = sum(params_of(selection).values())
        if self.macs is not None:
            spent["macs"] = macs_of(selection)
        if self.peak_bytes is not None:
            spent["peak_bytes"] = cost_of(selection).peak_bytes
        if self.tflite_bytes is not None:
            spent["tflite_bytes"] = tflite_bytes(selection)
        if self.resident_bytes is not None:
            spent["resident_bytes"] = resident_bytes(selection)
        if self.latency is not None and self.latency_us is not None:
            spent["latency_us"] = self.latency.latency_us(selection)
        return {name: spent[name] for name in self.resources}


RESOURCES = tuple(field.name for field in fields(Budget) if field.name != "latency")


@dataclass(frozen=True)
class Spending:
    """How a plan stands to its budget.

    Attributes:
        limits: The absolute limit of each limited resource.
        unpruned: What the unpruned model spends of it.
        spent: What the plan spends of it.
    """

    limits: Mapping[str, float]
    unpruned: Mapping[str, float]
    spent: Mapping[str, float]

    @property
    def binding(self) -> str:
        """The resource that is closest to its limit."""
        return max(self.limits, key=lambda name: self.spent[name] / self.limits[name])

    @property
    def gap(self) -> float:
        """The share of the binding resource's limit that is left unspent; negative where it is overspent."""
        return 1 - self.spent[self.binding] / self.limits[self.binding]

    @property
    def fits(self) -> bool:
        """Whether every resource is within its limit."""
        return all(self.spent[name] <= limit for name, limit in self.limits.items())

    def to_json(self) -> dict[str, Any]:
        """Return the spending as plain data."""
        return {
            "limits": dict(self.limits),
            "unpruned": dict(self.unpruned),
            "spent": dict(self.spent),
            "binding": self.binding,
            "gap": self.gap,
        }

    def __str__(self) -> str:
        parts = (
            f"{name} {self.spent[name]:,.0f} of {limit:,.0f} allowed "
            f"({self.spent[name] / self.unpruned[name]:.1%} of the unpruned model)"
            for name, limit in self.limits.items()
        )
        return f"{'; '.join(parts)}; {self.binding} binds with {self.gap:.1%} left"


def spending(model: keras.Model | LayerGraph, plan: KeepPlan, budget: Budget) -> Spending:
    """Return how a plan for `model` stands to `budget`.

    Raises:
        PlanError: The plan was made for another model.
    """
    graph = model if isinstance(model, LayerGraph) else trace(model)
    unpruned = budget.spending(Selection(graph))
    return Spending(budget.limits(unpruned), unpruned, budget.spending(Selection(graph, plan)))
