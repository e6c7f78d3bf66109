"""The measured table that a command works with: a file, or one that travels in the bundle."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from pipelines.cli.options import PATH, Number

if TYPE_CHECKING:
    from tfelastic_runtime import Bundle, Profile

AnyCommand = TypeVar("AnyCommand", bound=Callable[..., Any])

#: A latency that fits the policy's 32-bit microseconds.
_MILLISECONDS = Number(0, 2_147_483, min_open=True)


def measured_bundle(command: AnyCommand) -> AnyCommand:
    """Add what the policy needs to choose: a bundle, a measured table and a latency budget."""
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
        command = add(command)
    return command


def load(bundle: "Bundle", file: str | None, device: str | None) -> "Profile":
    """Read the table of a file, or the one of the bundle's own that is meant.

    Raises:
        click.UsageError: The bundle has no table, or not one alone that fits.
        ProfileError: The file is no measured table.
    """
    from tfelastic_runtime import Profile

    if file is not None:
        if device is not None:
            raise click.UsageError("give --profile or --device, not both")
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
