"""`tfelastic embed`: a bundle as C++ for a microcontroller."""

import click

from pipelines.cli.json_output import echo_json

TARGETS = ("tflm",)


@click.command()
@click.argument("bundle", metavar="BUNDLE", type=click.Path(exists=True, dir_okay=False))
@click.option(
    "--target",
    type=click.Choice(TARGETS),
    default=TARGETS[0],
    show_default=True,
    expose_value=False,
    help="What runs the variants: TensorFlow Lite for Microcontrollers.",
)
@click.option(
    "-o",
    "--out",
    "folder",
    required=True,
    type=click.Path(file_okay=False),
    help="The folder to write the C++ project to.",
)
@click.option(
    "--in-place",
    "in_place",
    multiple=True,
    metavar="VARIANT",
    help="Run this variant in place as well: its whole size in flash, none in RAM. Repeatable.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def command(bundle: str, folder: str, in_place: tuple[str, ...], as_json: bool) -> None:
    """Write the variants of BUNDLE as one C array, and a C++ project that runs them from it."""
    from tflite_export import embed

    report = embed(bundle, folder, in_place=in_place)
    if as_json:
        echo_json(report.to_json())
    else:
        click.echo(str(report))
