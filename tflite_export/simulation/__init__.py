"""Simulating the selection policy: over traces of load, beside static variants and references.

A simulation draws the latencies of a device; it measures nothing. `benchmarks/selector_under_load.py`
does, on this machine.
"""

from tflite_export.simulation.picture import draw
from tflite_export.simulation.report import (
    Candidate,
    Noise,
    Outcome,
    SimulationReport,
    candidates,
    never_chosen,
)
from tflite_export.simulation.simulator import simulate
from tflite_export.simulation.traces import TRACES, trace_of

__all__ = [
    "TRACES",
    "Candidate",
    "Noise",
    "Outcome",
    "SimulationReport",
    "candidates",
    "draw",
    "never_chosen",
    "simulate",
    "trace_of",
]
