"""What runs a .tflite file: LiteRT and TFLM on this machine, and the targets that a file is made for."""

from tflite_export.runtimes.litert import LiteModel, open_interpreter, predict, predict_all
from tflite_export.runtimes.targets import TARGETS, Target, get_target
from tflite_export.runtimes.tflm import ArenaReport, measure_arena

__all__ = [
    "TARGETS",
    "ArenaReport",
    "LiteModel",
    "Target",
    "get_target",
    "measure_arena",
    "open_interpreter",
    "predict",
    "predict_all",
]
