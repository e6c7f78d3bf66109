"""A sign of life for work whose end is not known."""

from collections.abc import Iterator
from contextlib import contextmanager

import click


@contextmanager
def waiting(what: str) -> Iterator[None]:
    """Show on a terminal that something is under way, unless the command was asked to be quiet."""
    from pipelines.progress import Reporter

    context = click.get_current_context(silent=True)
    quiet = context is not None and bool(context.params.get("quiet"))
    with Reporter(quiet=quiet).waiting(what):
        yield
