"""`tfelastic unpack`: a bundle's variants as ordinary .tflite files."""

import json

import click

from pipelines.cli import bundle_file


@click.command()
@click.argument("bundle", metavar="BUNDLE")
@click.option(
    "-d",
    "--directory",
    default=".",
    show_default=True,
    help="The folder to write to; made if missing.",
)
@click.option("--json", "as_json", is_flag=True, help="Print what was written as JSON.")
def command(bundle: str, directory: str, as_json: bool) -> None:
    """Write every variant of BUNDLE as NAME.tflite, byte for byte as it was packed."""
    opened = bundle_file.load(bundle)
    paths = opened.unpack(directory)
    written = [
        {"file": str(path), "bytes": variant.bytes, "sha256": variant.sha256}
        for path, variant in zip(paths, opened.variants, strict=True)
    ]
    if as_json:
        click.echo(json.dumps({"bundle": bundle, "files": written}, indent=2))
    else:
        for each in written:
            click.echo(f"{each['file']}  {each['bytes']:,} bytes")
