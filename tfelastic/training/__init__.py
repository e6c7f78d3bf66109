"""Training aids: distillation from a wider network, BatchNorm recalibration."""

from tfelastic.training.calibration import recalibrate
from tfelastic.training.distillation import Distillation, ending_of

__all__ = ["Distillation", "ending_of", "recalibrate"]
