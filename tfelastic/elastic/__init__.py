"""Elastic networks: every rung of a ladder in one set of weights."""

from tfelastic.elastic.model import ElasticModel
from tfelastic.elastic.view import RungView

__all__ = ["ElasticModel", "RungView"]
