"""The traced graph: from a Keras model to groups of coupled channels and removable blocks."""

from tfelastic.graph import rules
from tfelastic.graph.analysis import trace
from tfelastic.graph.layer_graph import Block, Group, LayerGraph, Member, Step
from tfelastic.graph.rulebook import rule
from tfelastic.graph.site import NoRule, Site, Tensor

__all__ = [
    "Block",
    "Group",
    "LayerGraph",
    "Member",
    "NoRule",
    "Site",
    "Step",
    "Tensor",
    "rule",
    "rules",
    "trace",
]
