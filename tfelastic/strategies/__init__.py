"""Strategies: scores and a budget in, a plan out."""

from tfelastic.strategies.ladder import ladder

__all__ = ["ladder"]
