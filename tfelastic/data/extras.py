"""Packages that only some kinds of data need, imported when they are."""

import importlib
from types import ModuleType

from tfelastic.errors import DataError


def require(module: str, *, extra: str, purpose: str) -> ModuleType:
    """Import `module`, or say which extra of tfelastic brings it.

    Raises:
        DataError: The module, or something that it needs in turn, is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise DataError(
            f"{purpose} needs {module!r}, which cannot be imported ({error}); "
            f'install it with: pip install "tfelastic[{extra}]"'
        ) from error
