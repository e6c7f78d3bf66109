"""`Workers`: what carries out independent pieces of work; and which of them a text names."""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol

from pipelines.errors import WorkersError


class Workers(Protocol):
    """Carries out independent pieces of work."""

    def map(
        self, function: Callable[[Any], Any], items: Iterable[Any]
    ) -> Iterator[tuple[int, Any]]:
        """Apply a function to items, each once, and yield each item's number with its result as they come.

        An error of the function ends the map. Where the caller stops, no further item is begun.
        """


class InProcess:
    """Carries pieces out one after the other, in this process."""

    def map(
        self, function: Callable[[Any], Any], items: Iterable[Any]
    ) -> Iterator[tuple[int, Any]]:
        """Apply a function to items."""
        return ((number, function(item)) for number, item in enumerate(items))


def workers_of(text: str | None, *, set_up: Callable[[], None] | None = None) -> Workers:
    """Return the workers that a text names: `local:N`, `ray://HOST:PORT`, or none, which is this process.

    Args:
        text: The text.
        set_up: What a worker calls before its first piece of work; it can be sent to another process.

    Raises:
        WorkersError: The text names no workers.
    """
    if text is None:
        return InProcess()
    from pipelines.workers.ray_workers import RayWorkers

    if found := re.fullmatch(r"local:([1-9][0-9]{0,3})", text):
        return RayWorkers(processes=int(found[1]), set_up=set_up)
    if re.fullmatch(r"ray://[^/\s]+:[0-9]{1,5}", text):
        return RayWorkers(address=text, set_up=set_up)
    raise WorkersError(
        f"expected local:N, N processes of this machine, or ray://HOST:PORT, a Ray cluster, received {text!r}"
    )
