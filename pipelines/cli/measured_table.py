"""What the policy chooses by: a bundle, a measured table (a file, or one that travels in it), a latency budget."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from pipelines.cli import bundle_file
from pipelines.cli.options import PATH, Number

if TYPE_CHECKING:
    from tfelastic_runtime import Bundle, Profile

    from tflite_export import Candidate

AnyCommand = TypeVar("AnyCommand", bound=Callable[..., Any])

#: A latency that fits the policy's 32-bit microseconds.
_MILLISECONDS = Number(0, 2_147_483, min_open=True)


@dataclass(frozen=True)
class MeasuredBundle:
    """A bundle whose variants were measured, and what an inference may take; read where it is asked for.

    Attributes:
        path: The bundle.
        table: The file of the measured table; None for one of the bundle's own.
        device: Which of the bundle's own tables, by a part of what names it.
        budget_ms: The latency budget in milliseconds.
    """

    path: str
    table: str | None
    device: str | None
    budget_ms: float

    @property
    def budget_us(self) -> int:
        """The latency budget in whole microseconds, at least one."""
        return max(round(self.budget_ms * 1000), 1)

    @cached_property
    def bundle(self) -> "Bundle":
        """The bundle, opened."""
        return bundle_file.load(self.path)

    @cached_property
    def candidates(self) -> "list[Candidate]":
        """What the policy chooses among: each variant with its row of the table."""
        from tflite_export import candidates

        return candidates(self.bundle, load(self.bundle, self.table, self.device))


def measured_bundle(command: AnyCommand) -> AnyCommand:
    """Add a bundle, a measured table and a latency budget; the command takes them as one `MeasuredBundle`."""

    @wraps(command)
    def of_measured(
        *, bundle: str, table: str | None, device: str | None, budget_ms: float, **others: Any
    ) -> Any:
        return command(MeasuredBundle(bundle, table, device, budget_ms), **others)

    added: Any = of_measured
    for add in (
        click.option(
            "--budget-ms",
            type=_MILLISECONDS,
            required=True,
            help="How long an inference may take, in milliseconds.",
        ),
        click.option(
            "--device",
            metavar="TEXT",
            help="Which of the bundle's own tables: a part of what names it.",
        ),
        click.option(
            "--profile",
            "table",
            type=PATH,
            metavar="FILE",
            help="The device's measured table, as 'tfelastic profile' writes it. Default: the bundle's own.",
        ),
        click.argument("bundle", type=PATH, metavar="BUNDLE"),
    ):
        added = add(added)
    return added


def load(bundle: "Bundle", file: str | None, device: str | None) -> "Profile":
    """Read the table of a file, or the one of the bundle's own that is meant.

    Raises:
        click.UsageError: There is no such file; the bundle has no table, or not one alone that fits.
        ProfileError: The file is no measured table.
    """
    from tfelastic_runtime import Profile

    if file is not None:
        if device is not None:
            raise click.UsageError("give --profile or --device, not both")
        if not Path(file).exists():
            raise click.UsageError(
                f"there is no file {file}; 'tfelastic profile' writes measured tables"
            )
        return Profile.load(file)
    tables = {name_of(each): each for each in bundle.manifest.profiles}
    if not tables:
        raise click.UsageError(
            "the bundle holds no measured table: give --profile FILE, as 'tfelastic profile' writes it"
        )
    fitting = [name for name in tables if (device or "").lower() in name.lower()]
    if len(fitting) != 1:
        raise click.UsageError(
            f"{len(fitting)} of the bundle's tables fit; choose one by --device: {'; '.join(tables)}"
        )
    return tables[fitting[0]]


def name_of(profile: "Profile") -> str:
    """Return what tells a table from the others of a bundle: device, threads, cores and kernels."""
    device = profile.device
    words = [str(device[key]) for key in ("name", "serial") if key in device] or ["unnamed device"]
    words.append(f"threads {profile.threads}")
    if "cpu_mask" in device:
        words.append(f"cpus {device['cpu_mask']}")
    return ", ".join([*words, *([profile.kernels] if profile.kernels else [])])
