"""Whether a result can be written where the user wants it, checked before any work is done for it."""

import os
from pathlib import Path

import click


def check(path: str, *suffixes: str) -> None:
    """Make sure that a file can be written to a path.

    Args:
        path: The file's path.
        *suffixes: How it may end; in any way unless given.

    Raises:
        click.UsageError: It ends otherwise, is a folder, or its folder does not exist or may not be written to.
    """
    target = Path(path)
    if suffixes and target.suffix not in suffixes:
        raise click.UsageError(f"the output must end in {' or '.join(suffixes)}, received {path}")
    if target.is_dir():
        raise click.UsageError(f"{path} is a folder; name a file in it")
    if not target.parent.is_dir():
        raise click.UsageError(f"there is no folder {target.parent} to write {target.name} into")
    if not os.access(target.parent, os.W_OK):
        raise click.UsageError(f"{target.parent} may not be written to; choose another folder")
