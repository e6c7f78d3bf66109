"""Python code of the user's own, which registers layers, losses or metrics: named by `--import`, run when asked for."""

import importlib
import importlib.util
import os
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import click

AnyCommand = TypeVar("AnyCommand", bound=Callable[..., Any])

_DONE = "user code that ran"


def option(command: AnyCommand) -> AnyCommand:
    """Add `--import` to a command, which means the same as ahead of the command's name."""
    return click.option(
        "--import",
        "imports",
        multiple=True,
        metavar="FILE.py|MODULE",
        expose_value=False,
        callback=_add,
        help="Run Python code that registers layers of your own, before a model is loaded.",
    )(command)


def run_once() -> None:
    """Run the code that the command line names, unless it ran before.

    Raises:
        click.ClickException: The code fails.
    """
    ctx = click.get_current_context()
    done = ctx.meta.setdefault(_DONE, [])
    asked = [code for code in ctx.find_root().params.get("imports", ()) if code not in done]
    if not asked:
        return
    from pipelines.backend import start_backend

    start_backend()
    for code in asked:
        _import(code)
        done.append(code)


def for_other_processes() -> Callable[[], None]:
    """Return what starts the backend and runs the same code in another process, to which it can be sent."""
    return partial(_set_up, tuple(click.get_current_context().meta.get(_DONE, ())))


def _set_up(codes: Sequence[str]) -> None:
    from pipelines.backend import start_backend

    start_backend()
    for code in codes:
        _import(code)


def _add(ctx: click.Context, param: click.Parameter, value: tuple[str, ...]) -> None:
    params = ctx.find_root().params
    params["imports"] = (*params.get("imports", ()), *value)


def _import(code: str) -> None:
    try:
        if not code.endswith(".py"):
            # The console script's folder stands first on the path, not the user's.
            sys.path.insert(0, os.getcwd())
            importlib.import_module(code)
            return
        spec = importlib.util.spec_from_file_location(Path(code).stem, code)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[Path(code).stem] = module
        spec.loader.exec_module(module)
    except Exception as cause:
        raise click.ClickException(
            f"--import {code} failed: {type(cause).__name__}: {cause}"
        ) from cause
