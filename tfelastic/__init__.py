"""tfelastic: turn a Keras 3 CNN into one elastic network that is switched at run time.

```python
import tfelastic as te

graph = te.trace(model)                      # channels that are coupled, blocks that can go
ladder = te.ladder(model)                    # nested widths 1, .75, .5, .25, best channels first
net = te.ElasticModel(model, ladder)         # every width in one set of weights
net.compile(optimizer="adam", loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
net.fit(images, labels)
half = net.cut("w050")                       # a stand-alone Keras model
```
"""

from tfelastic import criteria, data, errors, metrics, zoo
from tfelastic._cost import (
    Budget,
    Cost,
    LatencyTable,
    LayerCost,
    Spending,
    activation_bytes,
    cost,
    layer_params,
    spending,
)
from tfelastic._plan import KeepPlan, Ladder, Rung
from tfelastic.block_search import (
    BlockReport,
    BlockStep,
    SearchObjective,
    random_blocks,
    remove_blocks,
    smallest_blocks,
)
from tfelastic.elastic import ElasticModel, Growth, LevelTraining, RungMetrics, prune_and_grow
from tfelastic.graph import Block, Group, LayerCall, LayerGraph, NoRule, rule, trace
from tfelastic.metrics import Accuracy, Evaluator, Metric, Score, metric_of, score_of
from tfelastic.strategies import (
    Complexity,
    Greedy,
    Knapsack,
    PruningTrace,
    Sensitivity,
    Strategy,
    TraceStep,
    ladder,
    plan,
)
from tfelastic.surgery import prune
from tfelastic.training import (
    Distillation,
    FineTuning,
    StopAtNaN,
    Student,
    avoid_onednn_crash,
    recalibrate,
    reinitialize,
)

__version__ = "0.1.0"

__all__ = [
    "Accuracy",
    "Block",
    "BlockReport",
    "BlockStep",
    "Budget",
    "Complexity",
    "Cost",
    "Distillation",
    "ElasticModel",
    "Evaluator",
    "FineTuning",
    "Greedy",
    "Group",
    "Growth",
    "KeepPlan",
    "Knapsack",
    "Ladder",
    "LatencyTable",
    "LayerCall",
    "LayerCost",
    "LayerGraph",
    "LevelTraining",
    "Metric",
    "NoRule",
    "PruningTrace",
    "Rung",
    "RungMetrics",
    "Score",
    "SearchObjective",
    "Sensitivity",
    "Spending",
    "StopAtNaN",
    "Strategy",
    "Student",
    "TraceStep",
    "activation_bytes",
    "avoid_onednn_crash",
    "cost",
    "criteria",
    "data",
    "errors",
    "ladder",
    "layer_params",
    "metric_of",
    "metrics",
    "plan",
    "prune",
    "prune_and_grow",
    "random_blocks",
    "recalibrate",
    "reinitialize",
    "remove_blocks",
    "rule",
    "score_of",
    "smallest_blocks",
    "spending",
    "trace",
    "zoo",
]
