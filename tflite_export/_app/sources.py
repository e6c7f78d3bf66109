"""The files of the app: the example and the Kotlin runtime as they stand in the distribution, with the bundle added."""

from __future__ import annotations

import re
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from xml.sax.saxutils import escape

from tfelastic_runtime import Bundle

from tflite_export.errors import PackError

BUNDLE_FILE = "app/src/main/assets/model.elastic"
LABELS_FILE = "app/src/main/assets/labels.txt"
DEFAULT_ID = "tfelastic.example"

_CHECKOUT = Path(__file__).parents[2]
_EXAMPLE = "examples/android"
_RUNTIME = "runtime/kotlin"
_MODULES = ("core", "android")
_SUFFIXES = (".kts", ".properties", ".xml", ".kt")
#: What Gradle and Android Studio leave beside sources.
_BUILT = frozenset({"build", ".gradle", ".idea", "assets"})


def project_files(
    bundle: Bundle, data: bytes, *, application_id: str, title: str
) -> dict[str, bytes]:
    """Return the project's files by their paths.

    Args:
        bundle: The bundle, opened.
        data: Its file's content.
        application_id: By which a phone tells the app from others.
        title: The app's title on the phone.

    Raises:
        PackError: The example's sources are not installed.
    """
    root = _root()
    files = dict(_copied(root / _EXAMPLE, ""))
    for module in _MODULES:
        files |= _copied(root / _RUNTIME / module, f"tfelastic/{module}/")
        path = f"../../{_RUNTIME}/{module}"
        _replace(files, "settings.gradle.kts", f'"{path}"', f'"tfelastic/{module}"')
    _replace(
        files,
        "app/build.gradle.kts",
        f'applicationId = "{DEFAULT_ID}"',
        f'applicationId = "{application_id}"',
    )
    # In a text resource a quotation mark, an at sign and a backslash have meanings of their own.
    text = re.sub(r"([\\'\"@?])", r"\\\1", escape(title))
    _replace(
        files,
        "app/src/main/res/values/strings.xml",
        '<string name="app_name">tfelastic</string>',
        f'<string name="app_name">{text}</string>',
    )
    files[BUNDLE_FILE] = data
    if labels := labels_of(bundle):
        files[LABELS_FILE] = "".join(f"{label}\n" for label in labels).encode()
    files["README.md"] = _readme(bundle, len(data), application_id).encode()
    return files


def labels_of(bundle: Bundle) -> tuple[str, ...]:
    """Return the names of the classes of the first output that has some."""
    named = (tuple(output.labels) for output in bundle.manifest.outputs if output.labels)
    return next(named, ())


def _root() -> Path:
    """Return where the sources are: in a checkout, or as they were installed."""
    installed = Path(sysconfig.get_path("data")) / "share" / "tfelastic"
    for folder in (_CHECKOUT, installed):
        if (folder / _EXAMPLE / "settings.gradle.kts").is_file():
            return folder
    raise PackError(
        f"the Android example is neither in {_CHECKOUT / _EXAMPLE} nor in {installed / _EXAMPLE}: install tfelastic "
        "anew"
    )


def _copied(folder: Path, prefix: str) -> Iterator[tuple[str, bytes]]:
    for path in sorted(folder.rglob("*")):
        within = path.relative_to(folder)
        if path.suffix in _SUFFIXES and not _BUILT.intersection(within.parts):
            yield f"{prefix}{within.as_posix()}", path.read_bytes()


def _replace(files: dict[str, bytes], path: str, old: str, new: str) -> None:
    """Replace a text that stands in a file once."""
    text = files[path].decode()
    if text.count(old) != 1:
        raise PackError(
            f"{path} of the Android example has {text.count(old)} times {old}, not once"
        )
    files[path] = text.replace(old, new).encode()


def _readme(bundle: Bundle, size: int, application_id: str) -> str:
    template = Path(__file__).with_name("README.md.template").read_text("utf-8")
    labels = labels_of(bundle)
    values = {
        "name": bundle.manifest.name,
        "size": f"{size:,}",
        "variants": ", ".join(variant.name for variant in bundle.variants),
        "input": "x".join(map(str, bundle.manifest.inputs[0].shape[1:])),
        "labels": f"`labels.txt` lists its {len(labels)} labels"
        if labels
        else "it names no classes",
        "application_id": application_id,
    }
    return re.sub(r"@(\w+)@", lambda place: values[place[1]], template)
