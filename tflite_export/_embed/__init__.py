"""Microcontrollers: a bundle's variants in one C array, and the project whose selector runs them from it."""

from tflite_export._embed.flash import Flash, Placed, layout
from tflite_export._embed.placement import Placement
from tflite_export._embed.report import EmbeddedVariant, EmbedReport
from tflite_export._embed.writing import embed

__all__ = [
    "EmbedReport",
    "EmbeddedVariant",
    "Flash",
    "Placed",
    "Placement",
    "embed",
    "layout",
]
