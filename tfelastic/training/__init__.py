"""Training aids: distillation from a wider network, BatchNorm recalibration, a fresh start."""

from tfelastic.training.calibration import recalibrate
from tfelastic.training.distillation import Distillation, ending_of
from tfelastic.training.reinitialization import reinitialize

__all__ = ["Distillation", "ending_of", "recalibrate", "reinitialize"]
