"""Surgery: carries a plan out and makes a new model."""

from tfelastic.surgery.build import Slice, build, prune
from tfelastic.surgery.compile_state import copy_compile_state

__all__ = ["Slice", "build", "copy_compile_state", "prune"]
