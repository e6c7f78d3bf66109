"""What `tfelastic profile` asks of each kind of device: its options, and how a bundle is measured there.

The fields of a request are the options that mean something on its kind of device, by the names of the parameters.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import click

from pipelines.cli.profile_tables import bar
from pipelines.cli.supervisor import note_what_is_kept

if TYPE_CHECKING:
    from tflite_export import MeasuredProfile

Measured = tuple["list[MeasuredProfile]", list[str]]
"""Tables, and why others are missing."""

_HOST_LIMIT_S, _SERIAL_LIMIT_S = 60.0, 600.0


class BundleRequest(Protocol):
    """How the variants of a bundle are measured on one kind of device."""

    def measure(self, bundle: str, *, quiet: bool) -> Measured:
        """Measure them and return the tables."""


@dataclass(frozen=True, kw_only=True)
class OnHost:
    """Variants on this machine, a table for each number of threads."""

    threads: tuple[int, ...]
    xnnpack: bool
    half_width: float
    limit_s: float | None

    def measure(self, bundle: str, *, quiet: bool) -> Measured:
        """Measure them, as `tflite_export.profile_host` does."""
        import tflite_export as tx

        tables = []
        for count in dict.fromkeys(self.threads):
            with bar(f"{count} thread{'s' if count > 1 else ''}", quiet=quiet) as advance:
                tables.append(
                    tx.profile_host(
                        bundle,
                        threads=count,
                        xnnpack=self.xnnpack,
                        stop=tx.StoppingRule(
                            half_width=self.half_width, limit_s=self.limit_s or _HOST_LIMIT_S
                        ),
                        progress=lambda _, done, total: advance(done / total, f"{done} rounds"),
                    )
                )
            self._say_what_is_not_known(tables[-1])
        return tables, []

    def _say_what_is_not_known(self, table: "MeasuredProfile") -> None:
        wide = {
            name: each.half_width
            for name, each in table.latencies.items()
            if each.half_width is None or each.half_width > self.half_width
        }
        if wide:
            found = ", ".join(
                f"{name} {'unknown' if width is None else f'{width:.1%}'}"
                for name, width in wide.items()
            )
            click.echo(
                f"the time was up before every median was known within {self.half_width:.1%} ({found}): "
                "quiet the machine, or give it a longer --limit-s",
                err=True,
            )


@dataclass(frozen=True, kw_only=True)
class OnAndroid:
    """Variants on phones over adb, a table for each phone, number of threads and set of cores."""

    threads: tuple[int, ...]
    xnnpack: bool
    benchmark_model: str
    serials: tuple[str, ...]
    cpu_masks: tuple[str, ...]
    rounds: int
    seconds: float
    cool_down_s: float

    def measure(self, bundle: str, *, quiet: bool) -> Measured:
        """Measure them, as `tflite_export.profile_android` does."""
        import tflite_export as tx

        journal = Path(f"{bundle}.measuring")
        kept = f"what was measured is kept in {journal}; the same command resumes"
        note_what_is_kept(kept)
        done_on: dict[str, tuple[int, int]] = {}

        with bar("phones", quiet=quiet) as advance:

            def progress(serial: str, done: int, total: int) -> None:
                done_on[serial] = done, total
                done, total = (sum(each) for each in zip(*done_on.values(), strict=True))
                advance(done / total, f"{done} of {total} measurements, {len(done_on)} phones")

            report = tx.profile_android(
                bundle,
                benchmark_model=self.benchmark_model,
                serials=self.serials,
                configurations=tx.PhoneConfigurations(
                    threads=tuple(dict.fromkeys(self.threads)),
                    cpu_masks=tuple(dict.fromkeys(self.cpu_masks)) or (None,),
                    xnnpack=self.xnnpack,
                ),
                pace=tx.PhonePace(
                    rounds=self.rounds, seconds=self.seconds, cool_down_s=self.cool_down_s
                ),
                journal=journal,
                progress=progress,
            )
        failures = list(report.failures.values())
        return list(report.tables), [*failures, *([kept] if failures and journal.exists() else [])]


@dataclass(frozen=True, kw_only=True)
class OnSerial:
    """Variants on a board that prints its table over a serial line."""

    port: str
    baud: int
    limit_s: float | None

    def measure(self, bundle: str, *, quiet: bool) -> Measured:
        """Read the table, as `tflite_export.profile_serial` does."""
        import tflite_export as tx

        with bar(self.port, quiet=quiet) as advance:
            table = tx.profile_serial(
                bundle,
                port=self.port,
                baud=self.baud,
                limit_s=self.limit_s or _SERIAL_LIMIT_S,
                progress=lambda _, done, total: advance(0.5, f"{done} runs"),
            )
        return [table], []
