"""Kotlin passes the cases that all languages must pass."""

from tests.support.conformance import Conformance


class TestKotlin(Conformance):
    """Every case, asked of the driver."""
