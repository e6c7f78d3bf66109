"""`Growth`: what prune-and-grow did, level by level."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from tfelastic.errors import TrainingError

#: Figures by name, as Keras reports them: `loss`, `accuracy`, `val_loss`, ...
Figures = Mapping[str, float]


@dataclass(frozen=True)
class GrownLevel:
    """One level of a growing: a rung, trained with all that lies below it frozen.

    Attributes:
        name: The rung's name.
        width: The share of each group's channels.
        params: The parameters of the rung cut out, trained or not.
        macs: Its multiply-accumulate operations per sample.
        trained_params: How many parameters were trained: the re-grown ones and the rung's own.
        seconds: How long the training took, all tries added up.
        history: The figures of every epoch.
        validation: The figures on the validation data; empty where there were none.

    Raises:
        TrainingError: A count or a time is negative.
    """

    name: str
    width: float
    params: int
    macs: int
    trained_params: int
    seconds: float
    history: tuple[Figures, ...] = ()
    validation: Figures | None = None

    def __post_init__(self) -> None:
        for name in ("params", "macs", "trained_params", "seconds"):
            if getattr(self, name) < 0:
                raise TrainingError(
                    f"a level's {name} is not negative, received {getattr(self, name)!r}"
                )


@dataclass(frozen=True)
class Growth:
    """What prune-and-grow did; prints as a table.

    Attributes:
        levels: The levels in the order in which they were trained: the core first, the full network last.

    Examples:
        >>> print(Growth((GrownLevel("w050", 0.5, 1_000, 20_000, 1_000, 2.0, ({"loss": 0.5},), {"loss": 0.6}),)))
        level  width    params        MACs   trained  epochs  seconds  validation
        w050    0.50     1,000      20,000     1,000       1      2.0  loss 0.6000
    """

    levels: tuple[GrownLevel, ...]

    def __str__(self) -> str:
        wide = max(5, *(len(level.name) for level in self.levels))
        lines = [
            f"{'level':<{wide}}  width    params        MACs   trained  epochs  seconds  validation"
        ]
        for level in self.levels:
            figures = "  ".join(f"{k} {v:.4f}" for k, v in (level.validation or {}).items())
            lines.append(
                f"{level.name:<{wide}}  {level.width:5.2f}  {level.params:8,}  {level.macs:10,}  "
                f"{level.trained_params:8,}  {len(level.history):6}  {level.seconds:7.1f}  {figures}".rstrip()
            )
        return "\n".join(lines)

    def to_json(self) -> dict[str, Any]:
        """Return the report as plain data."""
        return {
            "levels": [
                {**asdict(level), "history": [dict(figures) for figures in level.history]}
                for level in self.levels
            ]
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Growth":
        """Return the report that `to_json` gave."""
        try:
            return cls(
                tuple(
                    GrownLevel(**{**level, "history": tuple(level["history"])})
                    for level in data["levels"]
                )
            )
        except (KeyError, TypeError) as cause:
            raise TrainingError(
                f"not a report of a growing: expected an object with 'levels', received {data!r:.120}"
            ) from cause
