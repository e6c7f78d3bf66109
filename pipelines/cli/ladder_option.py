"""The option `--ladder`: what the smaller variants of a network are cut by."""

from dataclasses import dataclass
from typing import Any

import click

#: What a rung may spend less of, by the option's word, and the recipe's name for it.
RESOURCES = {
    "latency": "latency_us",
    "macs": "macs",
    "params": "params",
    "peak_bytes": "peak_bytes",
    "tflite_bytes": "tflite_bytes",
}
_WIDTHS = (1.0, 0.75, 0.5, 0.25)
_SHARES = (0.75, 0.5, 0.35)


@dataclass(frozen=True)
class LadderChoice:
    """A kind of ladder: `widths`, or a resource of `RESOURCES`; and its widths, or shares of the whole model's."""

    kind: str
    values: tuple[float, ...]

    def tree(self) -> dict[str, Any]:
        """Return it as keys of a recipe's section `ladder`."""
        values = list(self.values)
        if self.kind == "widths":
            return {"widths": values}
        return {"budgets": {"resource": RESOURCES[self.kind], "shares": values}}


class _Ladder(click.ParamType):
    name = "ladder"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> LadderChoice:
        """Read `KIND` or `KIND=A,B,...`; a width of 1 may be left out."""
        if isinstance(value, LadderChoice):
            return value
        kind, _, listed = str(value).partition("=")
        if kind != "widths" and kind not in RESOURCES:
            self.fail(f"{value!r}: expected widths, {', '.join(RESOURCES)}", param, ctx)
        try:
            values = tuple(float(each) for each in listed.split(",")) if listed else ()
        except ValueError:
            self.fail(f"{value!r}: expected numbers after =, such as {kind}=0.75,0.5", param, ctx)
        if kind == "widths":
            asked = values or _WIDTHS
            return LadderChoice(kind, asked if asked[0] == 1.0 else (1.0, *asked))
        return LadderChoice(kind, values or _SHARES)


LADDER = _Ladder()
