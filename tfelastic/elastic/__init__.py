"""Elastic networks: every rung of a ladder in one set of weights."""

from tfelastic.elastic.growth import GrownLevel, Growth
from tfelastic.elastic.model import ElasticModel
from tfelastic.elastic.prune_grow import LevelTraining, prune_and_grow
from tfelastic.elastic.rung_metrics import RungMetrics
from tfelastic.elastic.view import RungView

__all__ = [
    "ElasticModel",
    "GrownLevel",
    "Growth",
    "LevelTraining",
    "RungMetrics",
    "RungView",
    "prune_and_grow",
]
