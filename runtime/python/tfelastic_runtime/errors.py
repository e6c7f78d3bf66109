"""Every error that the runtime raises on purpose.

```
TfelasticRuntimeError
├── BundleError   (ValueError)    a bundle is damaged, malformed, or of a newer format
├── ProfileError  (ValueError)    a latency table is malformed, or belongs to another bundle
├── BudgetError   (ValueError)    a latency budget is malformed
├── InputError    (ValueError)    an input is not what the bundle takes: name, shape, dtype, finite
├── BackendError  (RuntimeError)  no variant can be opened and run
└── ClosedError   (RuntimeError)  a selector is used after it was closed
```

Each is also a builtin error, so callers who know nothing of tfelastic still catch it. A file that
cannot be opened at all raises the operating system's `OSError`.
"""


class TfelasticRuntimeError(Exception):
    """The base of every error that the runtime raises on purpose."""


class BundleError(TfelasticRuntimeError, ValueError):
    """A bundle is damaged, malformed, or of a newer format than this reader knows."""


class ProfileError(TfelasticRuntimeError, ValueError):
    """A latency table is malformed, or belongs to another bundle."""


class BudgetError(TfelasticRuntimeError, ValueError):
    """A latency budget is malformed."""


class InputError(TfelasticRuntimeError, ValueError):
    """An input is not what the bundle takes: its name, shape or dtype, or a number is not finite."""


class BackendError(TfelasticRuntimeError, RuntimeError):
    """No variant of a bundle can be opened and run on this device."""


class ClosedError(TfelasticRuntimeError, RuntimeError):
    """A selector is used after it was closed."""
