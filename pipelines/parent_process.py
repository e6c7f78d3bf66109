"""A process that ends with the one that started it, however that one ends."""

import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def die_with(parent: int) -> None:
    """Let the kernel kill this process when its parent is killed; only Linux can.

    Args:
        parent: The parent's process number.
    """
    if sys.platform == "linux":
        import ctypes  # Not before: a command has handlers to set, and until then every millisecond counts.

        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # It was killed before it could be asked for.
            os._exit(1)
