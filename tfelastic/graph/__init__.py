"""The traced graph: from a Keras model to groups of coupled channels and removable blocks."""

from tfelastic.graph import rules
from tfelastic.graph.blocks import residuals_kept
from tfelastic.graph.elements import Block, Group, Member, Step
from tfelastic.graph.groups import segments
from tfelastic.graph.keras_graph import functional_class
from tfelastic.graph.layer_call import (
    Binding,
    LayerCall,
    LayerFacts,
    Multiplications,
    NoRule,
    Role,
    Tensor,
)
from tfelastic.graph.layer_graph import LayerGraph
from tfelastic.graph.rule_registry import rule
from tfelastic.graph.structure import Node, Ref, Structure
from tfelastic.graph.tracing import trace

__all__ = [
    "Binding",
    "Block",
    "Group",
    "LayerCall",
    "LayerFacts",
    "LayerGraph",
    "Member",
    "Multiplications",
    "NoRule",
    "Node",
    "Ref",
    "Role",
    "Step",
    "Structure",
    "Tensor",
    "functional_class",
    "residuals_kept",
    "rule",
    "rules",
    "segments",
    "trace",
]
