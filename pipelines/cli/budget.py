"""Budgets on the command line."""

import math
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    import tfelastic as te

RESOURCES = ("params", "macs", "peak_bytes", "tflite_bytes")

#: A resource and how much of it may be spent.
Limit = tuple[str, float]


class _Limit(click.ParamType):
    """`macs=0.5` or `params=100000`."""

    name = "RESOURCE=AMOUNT"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Limit:
        resource, equals, amount = str(value).partition("=")
        if not equals or resource not in RESOURCES:
            self.fail(f"{value!r}: expected one of {', '.join(RESOURCES)}, then = and an amount")
        try:
            limit = float(amount)
        except ValueError:
            self.fail(f"{value!r}: {amount!r} is no number")
        if not 0 < limit < math.inf:
            self.fail(
                f"{value!r}: expected a share up to 1 ({resource}=0.5) or a whole amount ({resource}=100000)"
            )
        if limit > 1 and not limit.is_integer():
            self.fail(
                f"{value!r}: was {100 * limit:g} % of the original meant? A budget is a share up to 1 "
                f"({resource}=0.5) or a whole amount ({resource}=100000)"
            )
        return resource, limit


LIMIT = _Limit()


def budget_of(limits: tuple[Limit, ...]) -> "te.Budget":
    """Return the budget of limits; several of one resource count as the tightest."""
    import tfelastic as te

    spend: dict[str, Any] = {}
    for resource, amount in limits:
        spend[resource] = min(amount, spend.get(resource, amount))
    return te.Budget(**spend)
