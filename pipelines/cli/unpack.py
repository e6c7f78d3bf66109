"""`tfelastic unpack`: a bundle's variants as ordinary .tflite files."""

import click

from pipelines.cli import bundle_file, options
from pipelines.cli.json_output import echo_json


@click.command()
@click.argument("bundle", type=options.PATH, metavar="BUNDLE")
@click.option(
    "-o",
    "--output",
    "folder",
    type=options.FOLDER,
    default=".",
    show_default=True,
    help="The folder to write to; made if missing.",
)
@click.option(
    "--limit-bytes",
    type=click.IntRange(min=1),
    help="The most bytes to write; by default 16 times what the variants share in BUNDLE.",
)
@options.as_json
@options.quiet
def command(bundle: str, folder: str, limit_bytes: int | None, as_json: bool, quiet: bool) -> None:
    """Write every variant of BUNDLE as NAME.tflite, byte for byte as it was packed.

    \b
    tfelastic unpack net.elastic -o variants
    """  # noqa: D301 - click knows a paragraph to leave alone by the character.
    opened = bundle_file.load(bundle)
    if not quiet:
        click.echo(f"{len(opened.variants)} variants, {opened.unpacked_bytes:,} bytes", err=True)
    paths = opened.unpack(folder, limit_bytes=limit_bytes)
    written = [
        {"file": str(path), "bytes": variant.bytes, "sha256": variant.sha256}
        for path, variant in zip(paths, opened.variants, strict=True)
    ]
    if as_json:
        echo_json({"bundle": bundle, "files": written})
    else:
        for each in written:
            click.echo(f"{each['file']}  {each['bytes']:,} bytes")
