"""From a bundle to an Android project, whole or not at all."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path

from tfelastic_runtime import Bundle
from tfelastic_runtime.files import write_atomically

from tflite_export._app.report import AppReport
from tflite_export._app.sources import DEFAULT_ID, labels_of, project_files
from tflite_export.errors import PackError

SUMS = "SHA256SUMS"
_ID = re.compile(r"[A-Za-z][A-Za-z0-9_]*(\.[A-Za-z][A-Za-z0-9_]*)+")


def app(
    bundle: str | os.PathLike[str],
    folder: str | os.PathLike[str],
    *,
    application_id: str = DEFAULT_ID,
    title: str | None = None,
    force: bool = False,
) -> AppReport:
    """Write an Android project whose app runs a bundle's variants under a latency budget.

    Args:
        bundle: The bundle; its network takes one image.
        folder: The project, made if it does not exist. In one that was written before, files that the user changed
            stay as they are.
        application_id: By which a phone tells the app from others, such as `"com.example.birds"`.
        title: The app's title on the phone; the bundle's name unless given.
        force: Whether to overwrite files that the user has changed, and to write into a folder of something else.

    Raises:
        BundleError: The bundle is damaged.
        PackError: The network takes no image, the identifier is malformed, the folder holds something else, or the
            example's sources are not installed.
        OSError: A file cannot be written; a new project is then not there at all.

    Example:
        >>> print(app("model.elastic", "android"))  # doctest: +ELLIPSIS
        android: an Android app around ...
    """
    opened = Bundle.open(bundle)
    _require_one_image(opened)
    if not _ID.fullmatch(application_id):
        raise PackError(
            f"an application id is words of letters, digits and _ with points between, such as com.example.birds; "
            f"received {application_id!r}"
        )
    project = Path(folder)
    written = _written_before(project, force=force)
    name = title or opened.manifest.name
    data = Path(bundle).read_bytes()
    files = project_files(opened, data, application_id=application_id, title=name)
    kept = () if force else _changed(project, written, files)
    _write(project, files, kept)
    return AppReport(
        folder=str(folder),
        application_id=application_id,
        title=name,
        bundle_bytes=len(data),
        variants=tuple(variant.name for variant in opened.variants),
        labels=len(labels_of(opened)),
        files=tuple(sorted((*files, SUMS))),
        kept=kept,
    )


def _require_one_image(bundle: Bundle) -> None:
    inputs = bundle.manifest.inputs
    if len(inputs) != 1 or inputs[0].kind != "image":
        found = ", ".join(f"{each.name} ({each.kind})" for each in inputs)
        raise PackError(
            f"the app shows pictures to a network of one image, and this bundle's inputs are {found}; in an app of "
            "your own, runtime/kotlin runs bundles of any inputs"
        )


def _written_before(project: Path, *, force: bool) -> dict[str, str]:
    """Return the digests of what was written into a folder before, by path."""
    sums = project / SUMS
    if not sums.is_file():
        if project.exists() and (not project.is_dir() or any(project.iterdir())) and not force:
            raise PackError(
                f"{project} holds something that was not written by app: name another folder, or force it"
            )
        return {}
    lines = (line.partition("  ") for line in sums.read_text("utf-8").splitlines())
    return {path: digest for digest, _, path in lines}


def _changed(
    project: Path, written: Mapping[str, str], files: Mapping[str, bytes]
) -> tuple[str, ...]:
    """Return the files that exist and are neither as they were written nor as they would be."""

    def is_changed(path: str) -> bool:
        target = project / path
        return target.exists() and _digest(target.read_bytes()) not in (
            written.get(path),
            _digest(files[path]),
        )

    return tuple(sorted(filter(is_changed, files)))


def _write(project: Path, files: Mapping[str, bytes], kept: tuple[str, ...]) -> None:
    """Write everything beside its place and then move it there: a new project in one step, else file by file."""
    fresh = project.with_name(f".new.{project.name}")
    shutil.rmtree(fresh, ignore_errors=True)
    # What was kept stays known as it was written, so that it counts as changed the next time too.
    sums = "".join(f"{_digest(data)}  {path}\n" for path, data in sorted(files.items()))
    moved = {path: data for path, data in files.items() if path not in kept}
    try:
        for path, data in {**moved, SUMS: sums.encode()}.items():
            target = fresh / path
            target.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(target, data)
        if not project.exists():
            os.replace(fresh, project)
            return
        # The sums come last: what an interruption left of the old is then told from what users changed.
        for path in (*moved, SUMS):
            target = project / path
            target.parent.mkdir(parents=True, exist_ok=True)
            os.replace(fresh / path, target)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
