"""What `tfelastic profile` does with a model: measure its operations, for budgets of latency."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipelines.cli import model_file
from pipelines.cli.json_output import echo_json
from pipelines.cli.profile_tables import bar
from pipelines.cli.supervisor import note_what_is_kept

if TYPE_CHECKING:
    from tfelastic import LatencyTable


def run(
    model: str,
    on: str,
    *,
    threads: Sequence[int],
    scheme: str,
    output: str | None,
    as_json: bool,
    quiet: bool,
    benchmark_model: str | None = None,
    serials: Sequence[str] = (),
) -> None:
    """Measure the operations of a model and write their table.

    Raises:
        click.UsageError: Several numbers of threads or phones are given: a table is of one.
    """
    if len(threads) > 1 or len(serials) > 1:
        raise click.UsageError("a table of operations is of one number of threads and one phone")
    loaded = model_file.load(model)
    import tflite_export as tx

    with bar("operations", quiet=quiet) as advance:

        def progress(what: str, done: int, total: int) -> None:
            advance(done / total, f"{what} {done} of {total}")

        table: LatencyTable
        if on == "host":
            table = tx.profile_ops(loaded, scheme=scheme, threads=threads[0], progress=progress)
        else:
            journal = Path(f"{model}.measuring")
            note_what_is_kept(f"what was measured is kept in {journal}; the same command resumes")
            table = tx.profile_ops_on_phone(
                loaded,
                benchmark_model=str(benchmark_model),
                serial=serials[0] if serials else None,
                scheme=scheme,
                threads=threads[0],
                journal=journal,
                progress=progress,
            )
    file = Path(output) if output else Path(model).with_name("operations.json")
    table.save(file)
    if as_json:
        echo_json({"file": str(file), **table.to_json()})
    else:
        click.echo(f"{table}\nwrote {file}")
