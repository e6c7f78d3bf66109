"""Deployment: Keras models in, device artefacts out.

```python
import tflite_export as tx

tflite = tx.convert(model, scheme="int8", samples=train_images)             # bytes, guarded
found = tx.verify(model, tflite, test_images, test_labels, scheme="int8")   # Keras against LiteRT
report = tx.export(net, "model.elastic", samples=train_images, test=test)   # every rung, packed
table = tx.profile("model.elastic", on="host", threads=1)                   # measured latencies
```

Importing this package imports neither TensorFlow nor Keras; converting does.
"""

from tflite_export.bundle import BundleReport, Variant, write_bundle
from tflite_export.convert import convert
from tflite_export.errors import (
    BackendError,
    CalibrationError,
    ConversionError,
    DeviceError,
    PackError,
    ProfileError,
    SchemeError,
    TfliteExportError,
    VerificationError,
)
from tflite_export.export import ExportReport, VariantReport, export, export_variant
from tflite_export.profile import (
    ArenaReport,
    Latency,
    Profile,
    measure_arena,
    profile,
    profile_ops,
)
from tflite_export.quantize.litert import predict
from tflite_export.quantize.scheme import SCHEMES, Scheme, Tolerance
from tflite_export.quantize.sharing import SharedKernel, Sharing, share, shared_kernels
from tflite_export.quantize.target import TARGETS, Target
from tflite_export.verify import TflmComparison, Verification, verify

__all__ = [
    "SCHEMES",
    "TARGETS",
    "ArenaReport",
    "BackendError",
    "BundleReport",
    "CalibrationError",
    "ConversionError",
    "DeviceError",
    "ExportReport",
    "Latency",
    "PackError",
    "Profile",
    "ProfileError",
    "Scheme",
    "SchemeError",
    "SharedKernel",
    "Sharing",
    "Target",
    "TfliteExportError",
    "TflmComparison",
    "Tolerance",
    "Variant",
    "VariantReport",
    "Verification",
    "VerificationError",
    "convert",
    "export",
    "export_variant",
    "measure_arena",
    "predict",
    "profile",
    "profile_ops",
    "share",
    "shared_kernels",
    "verify",
    "write_bundle",
]
