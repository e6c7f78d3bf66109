"""Every error that tfelastic raises on purpose.

```
TfelasticError
├── GraphError      (ValueError)  the model cannot be traced, or a traced part cannot be used so
├── PlanError       (ValueError)  a plan or ladder is malformed, or belongs to another model
├── BudgetError     (ValueError)  a budget is malformed, or nothing fits under it
├── CriterionError  (ValueError)  a criterion is unknown, or cannot score this model
├── CostError       (ValueError)  a cost cannot be counted
├── DataError       (ValueError)  data are missing, malformed, or do not fit the model
├── TrainingError   (ValueError)  a model cannot be trained in the way asked for
├── CheckpointError (ValueError)  a checkpoint is damaged, or of another computation
└── SearchError     (ValueError)  a search over nets cannot go on; `report` holds what it found so far
```

Each is also a builtin error, so callers who know nothing of tfelastic still catch it. A message says what
happened, what was expected, what was received and how to mend it, and names the layer, group or file.
"""


class TfelasticError(Exception):
    """The base of every error that tfelastic raises on purpose."""


class GraphError(TfelasticError, ValueError):
    """The model cannot be traced, or a traced part cannot be used in the way asked for."""


class PlanError(TfelasticError, ValueError):
    """A plan or ladder is malformed, or belongs to another model."""


class BudgetError(TfelasticError, ValueError):
    """A budget is malformed, or nothing fits under it.

    Args:
        reason: What happened, what was expected and what was received.
        advice: How to mend it in Python, if the reason does not say so.

    Attributes:
        reason: The text without the advice, for callers whose users mend it in other words.
        advice: The advice, empty where there is none.
    """

    def __init__(self, reason: str, advice: str = "") -> None:
        super().__init__(f"{reason}; {advice}" if advice else reason)
        self.reason, self.advice = reason, advice


class CriterionError(TfelasticError, ValueError):
    """A criterion is unknown, or cannot score this model."""


class CostError(TfelasticError, ValueError):
    """A cost cannot be counted."""


class DataError(TfelasticError, ValueError):
    """Data are missing, malformed, or do not fit the model."""


class TrainingError(TfelasticError, ValueError):
    """A model cannot be trained in the way asked for."""


class CheckpointError(TfelasticError, ValueError):
    """A checkpoint is damaged, or of another computation."""


class SearchError(TfelasticError, ValueError):
    """A search over nets cannot go on.

    Attributes:
        report: What the search found so far; `None` where it had not begun.
    """

    def __init__(self, message: str, report: object = None) -> None:
        super().__init__(message)
        self.report = report
