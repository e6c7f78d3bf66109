"""Printing results as JSON that every reader takes."""

import json
import math
from collections.abc import Mapping
from typing import Any

import click


def echo_json(data: object) -> None:
    """Print data as JSON; NaN and infinities, for which JSON has no words, as null."""
    click.echo(json.dumps(_finite(data), indent=2, allow_nan=False))


def _finite(data: object) -> Any:
    if isinstance(data, Mapping):
        return {key: _finite(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [_finite(value) for value in data]
    if isinstance(data, float) and not math.isfinite(data):
        return None
    return data
