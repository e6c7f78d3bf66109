"""The command line: one module per command, imported when that command is asked for.

Exit codes: 0 success, 1 failure, 2 wrong usage, 130 stopped with Ctrl-C.
"""

import os
import sys

from pipelines.cli.supervisor import STOPPED, supervise


def main() -> None:
    """Run the command line of this process; the entry point of `tfelastic`."""
    code = supervise(_execute)
    if code == STOPPED:
        # TensorFlow's threads may still call into Python, and Python's shutdown under them can end in an abort.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)


def _execute() -> int:
    # Imported behind the supervisor, so that Ctrl-C finds its handler whenever it comes.
    from pipelines.cli.entry import COMPLETION, complete, execute

    if instruction := os.environ.get(COMPLETION):
        return complete(instruction)
    try:
        return execute(sys.argv[1:])
    except (
        BrokenPipeError
    ):  # `| head` has seen enough. What Python flushes at its end must go somewhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


__all__ = ["main"]
