"""The bundle, `model.elastic`: every variant of one network in one checked file (`FORMAT.md`)."""

from tflite_export.bundle.interface import Interface
from tflite_export.bundle.manifest import Variant
from tflite_export.bundle.profiles import add_profiles
from tflite_export.bundle.writer import BundleReport, write_bundle

__all__ = ["BundleReport", "Interface", "Variant", "add_profiles", "write_bundle"]
