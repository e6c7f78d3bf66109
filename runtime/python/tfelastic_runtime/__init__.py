"""The device side of tfelastic: open a bundle, run the variant that the latency budget allows.

```python
from tfelastic_runtime import Selector

with Selector.open("model.elastic", budget_ms=5.0) as selector:
    result = selector.run(image)        # uint8 [height, width, channels], raw pixels
    print(result.label, result.variant, result.latency_us)
    # A network of several inputs: selector.run({"image": image, "features": features})
```

A bundle holds several variants of one network, from wide and good to narrow and fast. The
selector knows what each takes on this device, watches what the running one takes now, and predicts
all of them from that (`runtime/SPEC.md`). It needs numpy and LiteRT; `Bundle` alone needs neither.
"""

from tfelastic_runtime.bundle import Bundle
from tfelastic_runtime.errors import (
    BackendError,
    BudgetError,
    BundleError,
    ClosedError,
    InputError,
    ProfileError,
    TfelasticRuntimeError,
)
from tfelastic_runtime.interface import InputSpec, OutputSpec, TensorSpec
from tfelastic_runtime.latency import Latency, Profile, measure
from tfelastic_runtime.manifest import Manifest
from tfelastic_runtime.policy import Choice, Current, Policy, choose, dominated
from tfelastic_runtime.row import Row
from tfelastic_runtime.runner import Runner, RunnerPool, blank_inputs
from tfelastic_runtime.score import ScoreSpec
from tfelastic_runtime.selector import Result, Selector
from tfelastic_runtime.slowdown import Slowdown
from tfelastic_runtime.variant import Stored, VariantInfo, VariantPlan

__all__ = [
    "BackendError",
    "BudgetError",
    "Bundle",
    "BundleError",
    "Choice",
    "ClosedError",
    "Current",
    "InputError",
    "InputSpec",
    "Latency",
    "Manifest",
    "OutputSpec",
    "Policy",
    "Profile",
    "ProfileError",
    "Result",
    "Row",
    "Runner",
    "RunnerPool",
    "ScoreSpec",
    "Selector",
    "Slowdown",
    "Stored",
    "TensorSpec",
    "TfelasticRuntimeError",
    "VariantInfo",
    "VariantPlan",
    "blank_inputs",
    "choose",
    "dominated",
    "measure",
]
