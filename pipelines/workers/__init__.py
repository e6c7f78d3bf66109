"""Independent pieces of work, carried out in this process or spread over others: one protocol, `Workers`.

`local:N` are N processes of this machine, `ray://HOST:PORT` those of a Ray cluster. Ray is what carries pieces to
processes, restarts those that die, and gives what they had to others.
"""

from pipelines.workers.choice import InProcess, Workers, workers_of

__all__ = ["InProcess", "Workers", "workers_of"]
