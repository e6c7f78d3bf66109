"""Opening a bundle for the commands that work on one, and telling where its bytes go."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from tfelastic_runtime import Bundle

_MAGIC = b"\x89TFE\r\n\x1a\n"
#: How a delta writes bytes: the column in the table.
_COLUMNS = {
    "whole": ("whole",),
    "shared": ("copy", "gather", "per_row", "per_element"),
    "filled": ("run",),
    "own": ("add",),
}


def is_bundle(path: str) -> bool:
    """Return whether a file begins as a bundle does."""
    if not Path(path).is_file():
        return False
    with Path(path).open("rb") as file:
        return file.read(len(_MAGIC)) == _MAGIC


def load(path: str) -> "Bundle":
    """Open a bundle.

    Raises:
        click.UsageError: There is no such file, or it is a folder.
        BundleError: The file is no bundle, or is damaged.
    """
    if Path(path).is_dir():
        raise click.UsageError(
            f"{path} is a folder; expected a bundle, as 'tfelastic export' writes"
        )
    if not Path(path).exists():
        raise click.UsageError(f"there is no file {path}; 'tfelastic export' writes bundles")
    from tfelastic_runtime import Bundle

    return Bundle.open(path)


def contents(bundle: "Bundle", path: str) -> dict[str, Any]:
    """Return what is in a bundle, and where its bytes go, as plain data."""
    file_bytes = Path(path).stat().st_size
    manifest = bundle.manifest
    files_bytes = sum(variant.bytes for variant in bundle.variants)
    stored_bytes = sum(variant.stored.bytes for variant in bundle.variants)
    return {
        "bundle": path,
        "name": manifest.name,
        "producer": manifest.producer,
        "inputs": [spec.to_json() for spec in manifest.inputs],
        "outputs": [spec.to_json() for spec in manifest.outputs],
        "score": manifest.score.to_json(),
        "bytes": {
            "file": file_bytes,
            "manifest_and_checksum": file_bytes - manifest.payload_bytes,
            "stored_variants": stored_bytes,
            "factors_and_padding": manifest.payload_bytes - stored_bytes,
        },
        "separate_files_bytes": files_bytes,
        "times_the_widest": file_bytes / bundle.variants[0].bytes,
        "variants": [
            {**variant.to_json(), "written_from": bundle.tally(variant.name)}
            for variant in bundle.variants
        ],
        "profiles": [profile.to_json() for profile in manifest.profiles],
    }


def print_contents(found: dict[str, Any]) -> None:
    """Print what `contents` returned as a table."""
    from rich.markup import escape

    from pipelines.cli.tables import lay_out, result_console

    console = result_console()
    console.print(f"[bold]{escape(found['name'])}[/], by {escape(found['producer'])}")
    for side in ("inputs", "outputs"):
        for spec in found[side]:
            shape = " x ".join(map(str, spec["shape"][1:])) or "1"
            console.print(f"  {side[:-1]} {escape(spec['name'])}: {shape} {spec['kind']}")
    console.print()
    headings = (
        *("variant", "scheme", "width", "params", "MACs", found["score"]["metric"]),
        *(".tflite, B", "stored, B", *_COLUMNS),
    )
    console.print(lay_out(console, headings, [_row(each) for each in found["variants"]]))
    parts = found["bytes"]
    console.print(
        f"\n{parts['file']:,} bytes: variants {parts['stored_variants']:,}, factors and padding "
        f"{parts['factors_and_padding']:,}, manifest and checksum {parts['manifest_and_checksum']:,}\n"
        f"{found['times_the_widest']:.3f} times the widest .tflite; as separate files "
        f"{found['separate_files_bytes'] / found['variants'][0]['bytes']:.3f} times"
    )


def _row(variant: dict[str, Any]) -> tuple[str, ...]:
    size, sources = variant["bytes"], variant["written_from"]
    shares = (sum(sources.get(kind, 0) for kind in kinds) / size for kinds in _COLUMNS.values())
    return (
        variant["name"],
        variant["scheme"],
        f"{variant['width']:.3g}",
        f"{variant['params']:,}",
        f"{variant['macs']:,}",
        f"{variant['score']:.4g}",
        f"{size:,}",
        f"{variant['stored']['bytes']:,}",
        *(f"{share:.1%}" if share else "" for share in shares),
    )
