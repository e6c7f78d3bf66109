"""`RayWorkers`: processes of this machine or of a cluster, by Ray.

A piece of work is a Ray task without state. So a piece whose worker dies is carried out by another one, and a result
that has come is never computed again. The function, which may hold a net and examples, is sent once; each worker
keeps what it makes of it from piece to piece.
"""

import os
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from pipelines.errors import WorkersError

#: How often a piece of work is begun anew after its worker died. One that kills every worker must end some day.
_RETRIES = 3

#: Variables of this process that decide what a worker computes.
_ENVIRONMENT = ("KERAS_BACKEND", "TF_CPP_MIN_LOG_LEVEL", "TF_ENABLE_ONEDNN_OPTS")

#: In a worker process: what it was sent last, by its key.
_received: dict[str, Callable[[Any], Any]] = {}


@dataclass(frozen=True)
class RayWorkers:
    """Processes that Ray starts on this machine, or those of a Ray cluster.

    Args:
        processes: How many to start on this machine.
        address: The cluster's address, `ray://HOST:PORT`, in place of processes of this machine.
        set_up: What a worker calls before its first piece of work.
    """

    processes: int | None = None
    address: str | None = None
    set_up: Callable[[], None] | None = None

    def map(
        self, function: Callable[[Any], Any], items: Iterable[Any]
    ) -> Iterator[tuple[int, Any]]:
        """Apply a function to items, and yield each item's number with its result as they come.

        Raises:
            WorkersError: Ray is not installed or cannot be reached, or a piece of work killed each worker that tried.
        """
        given = list(items)
        if not given:
            return
        ray = self._connected()
        key, sent = uuid.uuid4().hex, ray.put((self.set_up, function))
        task = ray.remote(_carry_out).options(num_cpus=1, max_retries=_RETRIES)
        # In a list, so that a worker fetches the function when it first needs it, not for every piece.
        pending = {task.remote([sent], key, item): number for number, item in enumerate(given)}
        try:
            while pending:
                (done,), _ = ray.wait(list(pending), num_returns=1)
                yield pending[done], _result(ray, done)
                del pending[done]
        finally:
            for each in pending:
                ray.cancel(each, force=True)

    def _connected(self) -> Any:
        # What Ray reads when it is imported: a busy cluster may take its time to answer.
        os.environ.setdefault("RAY_CLIENT_INITIAL_CONNECTION_TIMEOUT_S", "60")
        os.environ.setdefault("RAY_CLIENT_MAX_CONNECTION_TIMEOUT_S", "60")
        try:
            import ray
        except ImportError:
            raise WorkersError(
                "workers need Ray, which is not installed; pip install 'tfelastic[ray]' brings it, or leave out "
                "--workers"
            ) from None
        if ray.is_initialized():
            return ray
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        variables = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
        options: dict[str, Any] = {
            "runtime_env": {"env_vars": variables},
            "log_to_driver": False,
            "logging_level": "error",
        }
        if self.address is None:
            # By default they give way to whatever else runs; but the user waits for them.
            os.environ.setdefault("RAY_worker_niceness", "0")
            options |= {
                "address": "local",
                "num_cpus": self.processes,
                "include_dashboard": False,
            }
        else:
            options["address"] = self.address
        try:
            ray.init(**options)
        except (ConnectionError, OSError, RuntimeError, ValueError) as error:
            raise WorkersError(
                f"cannot reach the workers {self.address or f'local:{self.processes}'}: {error!s:.300}; a cluster's "
                "first machine is started with 'ray start --head', and answers ray://HOST:10001"
            ) from error
        return ray


def _result(ray: Any, done: Any) -> Any:
    try:
        return ray.get(done)
    except ray.exceptions.RayTaskError as error:
        raise error.cause from error
    except ray.exceptions.RayError as error:
        raise WorkersError(
            f"a piece of work was begun {1 + _RETRIES} times, and each time its worker died (a shortage of memory does "
            f"that): {error!s:.200}; what was done is kept: give the same command again, with fewer workers"
        ) from error


def _carry_out(sent: list[Any], key: str, item: Any) -> Any:
    """Apply in a worker process the function that was sent under the key to an item."""
    if key not in _received:
        import ray

        _received.clear()
        set_up, function = ray.get(sent[0])
        if set_up is not None:
            set_up()
        _received[key] = function
    return _received[key](item)
