"""Criteria: one score per channel, low ones go first."""

from tfelastic.criteria.base import CRITERIA, Criterion, resolve
from tfelastic.criteria.magnitude import Magnitude

__all__ = ["CRITERIA", "Criterion", "Magnitude", "resolve"]
