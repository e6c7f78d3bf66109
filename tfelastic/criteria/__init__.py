"""Criteria: one score per channel, low ones go first.

| name | class | what a unit is worth | data |
|---|---|---|---|
| `magnitude` (also `l1`, `l2`) | `Magnitude` | the norm of its filters | |
| `batch_norm` | `BatchNormScale` | its BatchNorm scale | |
| `geometric_median` | `GeometricMedian` | its filters' distance to the others | |
| `random` | `Random` | a seeded number: the baseline | |
| `activation` | `Activation` | what it carries, or how often | images |
| `taylor` | `Taylor` | the first-order change of the loss without it | images, labels |
| `hessian` | `Hessian` | the second-order change of the loss without it | images, labels |

Those that need no data are picked by name; the others are made with theirs: `criterion=Taylor(images, labels)`.
"""

from tfelastic.criteria.activation import Activation
from tfelastic.criteria.base import CRITERIA, Criterion, resolve
from tfelastic.criteria.batch_norm import BatchNormScale
from tfelastic.criteria.geometric_median import GeometricMedian
from tfelastic.criteria.hessian import Hessian
from tfelastic.criteria.magnitude import Magnitude
from tfelastic.criteria.random import Random
from tfelastic.criteria.taylor import Taylor
from tfelastic.criteria.units import readers

__all__ = [
    "CRITERIA",
    "Activation",
    "BatchNormScale",
    "Criterion",
    "GeometricMedian",
    "Hessian",
    "Magnitude",
    "Random",
    "Taylor",
    "readers",
    "resolve",
]
