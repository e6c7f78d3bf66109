"""Every error that the application raises on purpose.

```
PipelineError
├── RecordError      (ValueError)  plain data are not what they should be
│   └── RecipeError                a recipe cannot be found, read or understood
├── StageError       (ValueError)  a stage cannot be run, or its outcome breaks what the recipe asks for
├── WorkersError     (ValueError)  workers cannot be reached, or died over a piece of work
└── WorkspaceError   (ValueError)  a workspace is in use, or does not hold what it should
```

A message says what happened, what was expected, what was received and how to mend it, and names the key, stage or file.
"""


class PipelineError(Exception):
    """The base of every error that the application raises on purpose."""


class RecordError(PipelineError, ValueError):
    """Plain data have an unknown or missing key, or a value of the wrong type or range."""


class RecipeError(RecordError):
    """A recipe cannot be found, read or understood."""


class StageError(PipelineError, ValueError):
    """A stage cannot be run, or its outcome breaks what the recipe asks for."""


class WorkersError(PipelineError, ValueError):
    """Workers are not named as they can be, cannot be reached, or died over a piece of work."""


class WorkspaceError(PipelineError, ValueError):
    """A workspace is in use, or does not hold what it should."""
