"""What `tfelastic profile` does with a model: measure its operations, for budgets of latency."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import click

from pipelines.cli import model_file
from pipelines.cli.json_output import echo_json
from pipelines.cli.profile_tables import bar
from pipelines.cli.supervisor import note_what_is_kept

if TYPE_CHECKING:
    import keras

    from pipelines.progress import Advance
    from tfelastic import LatencyTable


class OperationsRequest(Protocol):
    """How the operations of a model are measured on one kind of device."""

    def check(self) -> None:
        """Refuse what one table cannot say."""

    def measure(self, model: "keras.Model", journal: Path, advance: "Advance") -> "LatencyTable":
        """Measure them and return the table; `journal` keeps what was measured, where that takes long."""


@dataclass(frozen=True, kw_only=True)
class OperationsOnHost:
    """Operations on this machine."""

    threads: tuple[int, ...]
    scheme: str
    round_to: int

    def check(self) -> None:
        """Refuse more than one number of threads."""
        _require_one("number of threads", self.threads)

    def measure(self, model: "keras.Model", journal: Path, advance: "Advance") -> "LatencyTable":
        """Measure them, as `tflite_export.profile_ops` does."""
        import tflite_export as tx

        return tx.profile_ops(
            model,
            scheme=self.scheme,
            round_to=self.round_to,
            threads=self.threads[0],
            progress=lambda what, done, total: advance(done / total, f"{what} {done} of {total}"),
        )


@dataclass(frozen=True, kw_only=True)
class OperationsOnAndroid:
    """Operations on a phone over adb."""

    threads: tuple[int, ...]
    scheme: str
    round_to: int
    benchmark_model: str
    serials: tuple[str, ...]

    def check(self) -> None:
        """Refuse more than one number of threads or phone."""
        _require_one("number of threads", self.threads)
        _require_one("phone", self.serials)

    def measure(self, model: "keras.Model", journal: Path, advance: "Advance") -> "LatencyTable":
        """Measure them, as `tflite_export.profile_ops_on_phone` does."""
        import tflite_export as tx

        note_what_is_kept(f"what was measured is kept in {journal}; the same command resumes")
        return tx.profile_ops_on_phone(
            model,
            benchmark_model=self.benchmark_model,
            serial=self.serials[0] if self.serials else None,
            scheme=self.scheme,
            round_to=self.round_to,
            threads=self.threads[0],
            journal=journal,
            progress=lambda what, done, total: advance(done / total, f"{what} {done} of {total}"),
        )


def run(
    model: str, request: OperationsRequest, *, output: str | None, as_json: bool, quiet: bool
) -> None:
    """Measure the operations of a model and write their table.

    Raises:
        click.UsageError: Several numbers of threads or phones are given: a table is of one.
    """
    request.check()
    loaded = model_file.load(model)
    with bar("operations", quiet=quiet) as advance:
        table = request.measure(loaded, Path(f"{model}.measuring"), advance)
    file = Path(output) if output else Path(model).with_name("operations.json")
    table.save(file)
    if as_json:
        echo_json({"file": str(file), **table.to_json()})
    else:
        click.echo(f"{table}\nwrote {file}")


def _require_one(what: str, given: tuple[object, ...]) -> None:
    if len(given) > 1:
        raise click.UsageError(f"a table of operations is of one {what}, received {len(given)}")
