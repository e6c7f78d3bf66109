"""Surgery: carries a plan out and makes a new model."""

from tfelastic.surgery.build import Slice, build, prune

__all__ = ["Slice", "build", "prune"]
