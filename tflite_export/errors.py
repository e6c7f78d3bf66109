"""Every error that the exporter raises on purpose.

```
TfliteExportError
├── BackendError       (RuntimeError)  Keras runs on a backend that cannot export
├── SchemeError        (ValueError)    a scheme, target or tolerance is unknown or malformed
├── CalibrationError   (ValueError)    the samples cannot calibrate this model
├── ConversionError    (ValueError)    a model cannot become a .tflite, or that broke a guard
├── VerificationError  (ValueError)    a .tflite does not compute what its Keras model computes
├── DeviceError        (RuntimeError)  a device is out of reach, cannot run a file, or crashed on it
├── ProfileError       (ValueError)    a latency table is malformed, or cannot be measured
├── SimulationError    (ValueError)    a trace or a simulated table is malformed
└── PackError          (ValueError)    variants cannot be packed into a bundle
```

Each is also a builtin error, so callers who know nothing of the exporter still catch it. A message
says what happened, what was expected, what was received and how to mend it, and names the model,
variant or file. Reading a damaged bundle is the runtime's matter: it raises
`tfelastic_runtime.BundleError`.
"""


class TfliteExportError(Exception):
    """The base of every error that the exporter raises on purpose."""


class BackendError(TfliteExportError, RuntimeError):
    """This process cannot export: Keras does not run on TensorFlow."""


class SchemeError(TfliteExportError, ValueError):
    """A quantization scheme or a target is unknown, or a tolerance is malformed."""


class CalibrationError(TfliteExportError, ValueError):
    """The samples cannot calibrate this model."""


class ConversionError(TfliteExportError, ValueError):
    """A model cannot become a .tflite file, or the converted file broke a guard."""


class VerificationError(TfliteExportError, ValueError):
    """A .tflite file does not compute what its Keras model computes."""


class DeviceError(TfliteExportError, RuntimeError):
    """A device is out of reach, cannot run a file, or crashed on it."""


class ProfileError(TfliteExportError, ValueError):
    """A latency table is malformed, or cannot be measured."""


class SimulationError(TfliteExportError, ValueError):
    """A trace or a simulated table is malformed."""


class PackError(TfliteExportError, ValueError):
    """Variants cannot be packed into a bundle."""
