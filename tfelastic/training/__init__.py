"""Training aids: distillation from a wider network, fine-tuning, BatchNorm recalibration, a fresh start."""

from tfelastic.training.calibration import recalibrate
from tfelastic.training.distillation import Distillation, DistillationLoss
from tfelastic.training.distilled_model import DistilledModel
from tfelastic.training.divergence import StopAtNaN
from tfelastic.training.fine_tuning import FineTuning
from tfelastic.training.onednn import avoid_onednn_crash
from tfelastic.training.reinitialization import reinitialize
from tfelastic.training.student import Student, frozen_copy

__all__ = [
    "Distillation",
    "DistillationLoss",
    "DistilledModel",
    "FineTuning",
    "StopAtNaN",
    "Student",
    "avoid_onednn_crash",
    "frozen_copy",
    "recalibrate",
    "reinitialize",
]
