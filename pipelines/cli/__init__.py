"""The command line: one module per command, imported when that command is asked for.

Exit codes: 0 success, 1 failure, 2 wrong usage, 130 stopped with Ctrl-C.
"""

import os
import sys

from pipelines.cli.entry import STOPPED, execute


def main() -> None:
    """Run the command line of this process; the entry point of `tfelastic`."""
    code = execute(sys.argv[1:])
    if code == STOPPED:
        # TensorFlow's threads may still call into Python, and Python's shutdown under them can end in an abort.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)


__all__ = ["execute", "main"]
