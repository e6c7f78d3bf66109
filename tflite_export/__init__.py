"""Deployment: Keras models in, device artefacts out.

```python
import tflite_export as tx

tflite = tx.convert(model, scheme="int8", samples=train_images)             # bytes, guarded
found = tx.verify(model, tflite, test_images, test_labels, scheme="int8")   # Keras against LiteRT
report = tx.export(net, "model.elastic", samples=train_images, test=test)   # every rung, packed
table = tx.profile("model.elastic", stop=tx.StoppingRule(limit_s=5))        # measured latencies
```

Importing this package imports neither TensorFlow nor Keras; converting does.
"""

from typing import TYPE_CHECKING, Any

from tflite_export._app import AppReport, app
from tflite_export._convert import convert
from tflite_export._embed import EmbedReport, Placement, embed
from tflite_export._export import (
    Checks,
    export,
    export_variant,
    interface_of,
    redundant_variants,
)
from tflite_export._profile import (
    AndroidReport,
    AttachedPhone,
    MeasuredLatency,
    MeasuredProfile,
    PhoneConfigurations,
    PhoneLatencies,
    PhonePace,
    StoppingRule,
    attached_phones,
    describe_host,
    draw_profiles,
    find_adb,
    measure_files,
    measure_files_on_phone,
    profile,
    profile_android,
    profile_host,
    profile_ops,
    profile_ops_on_phone,
    profile_serial,
)
from tflite_export._verify import verify
from tflite_export.arena import (
    ArenaEstimate,
    ArenaPlan,
    estimate_arena,
    plan_arena,
    with_arena_plan,
)
from tflite_export.bundle import BundleReport, Interface, Variant, add_profiles, write_bundle
from tflite_export.errors import (
    BackendError,
    CalibrationError,
    ConversionError,
    DeviceError,
    PackError,
    ProfileError,
    SchemeError,
    SimulationError,
    TfliteExportError,
    VerificationError,
)
from tflite_export.export_report import ExportReport, VariantReport
from tflite_export.input_scaling import scaling_hint
from tflite_export.options import ConversionOptions
from tflite_export.quantize.kernel_sharing import (
    SharedKernel,
    Sharing,
    share_kernels,
    shared_kernels,
)
from tflite_export.quantize.qat import Tuning
from tflite_export.quantize.scheme import SCHEMES, Scheme, Tolerance, get_scheme
from tflite_export.runtimes import TARGETS, ArenaReport, Target, measure_arena, predict
from tflite_export.scoring import Loss
from tflite_export.simulation import (
    Candidate,
    Noise,
    Outcome,
    SimulationReport,
    candidates,
    draw,
    never_chosen,
    simulate,
)
from tflite_export.stderr import capture_stderr
from tflite_export.verification import OutputComparison, TflmComparison, Verification

if TYPE_CHECKING:
    from tflite_export.quantize.elastic_qat import QuantizationAware

__all__ = [
    "SCHEMES",
    "TARGETS",
    "AndroidReport",
    "AppReport",
    "ArenaEstimate",
    "ArenaPlan",
    "ArenaReport",
    "AttachedPhone",
    "BackendError",
    "BundleReport",
    "CalibrationError",
    "Candidate",
    "Checks",
    "ConversionError",
    "ConversionOptions",
    "DeviceError",
    "EmbedReport",
    "ExportReport",
    "Interface",
    "Loss",
    "MeasuredLatency",
    "MeasuredProfile",
    "Noise",
    "Outcome",
    "OutputComparison",
    "PackError",
    "PhoneConfigurations",
    "PhoneLatencies",
    "PhonePace",
    "Placement",
    "ProfileError",
    "QuantizationAware",
    "Scheme",
    "SchemeError",
    "SharedKernel",
    "Sharing",
    "SimulationError",
    "SimulationReport",
    "StoppingRule",
    "Target",
    "TfliteExportError",
    "TflmComparison",
    "Tolerance",
    "Tuning",
    "Variant",
    "VariantReport",
    "Verification",
    "VerificationError",
    "add_profiles",
    "app",
    "attached_phones",
    "candidates",
    "capture_stderr",
    "convert",
    "describe_host",
    "draw",
    "draw_profiles",
    "embed",
    "estimate_arena",
    "export",
    "export_variant",
    "find_adb",
    "get_scheme",
    "interface_of",
    "measure_arena",
    "measure_files",
    "measure_files_on_phone",
    "never_chosen",
    "plan_arena",
    "predict",
    "profile",
    "profile_android",
    "profile_host",
    "profile_ops",
    "profile_ops_on_phone",
    "profile_serial",
    "redundant_variants",
    "scaling_hint",
    "share_kernels",
    "shared_kernels",
    "simulate",
    "verify",
    "with_arena_plan",
    "write_bundle",
]


def __getattr__(name: str) -> Any:
    # A subclass of keras.Model, and importing this package imports no Keras.
    if name == "QuantizationAware":
        from tflite_export.quantize.elastic_qat import QuantizationAware

        return QuantizationAware
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
