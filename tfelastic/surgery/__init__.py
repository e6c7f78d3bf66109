"""Surgery: carries a plan out and makes a new model."""

from tfelastic.surgery.build import Slice, build, build_abstract, prune
from tfelastic.surgery.compile_state import copy_compile_state

__all__ = ["Slice", "build", "build_abstract", "copy_compile_state", "prune"]
