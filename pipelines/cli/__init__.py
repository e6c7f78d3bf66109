"""The command line: one module per command, imported when that command is asked for.

Exit codes: 0 success, 1 failure, 2 wrong usage, 130 stopped with Ctrl-C.
"""

import sys

from pipelines.cli.entry import execute


def main() -> None:
    """Run the command line of this process; the entry point of `tfelastic`."""
    sys.exit(execute(sys.argv[1:]))


__all__ = ["execute", "main"]
