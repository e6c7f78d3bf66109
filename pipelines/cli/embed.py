"""`tfelastic embed`: a bundle as C++ for a microcontroller."""

from typing import Any

import click

from pipelines.cli import options
from pipelines.cli.json_output import echo_json
from pipelines.cli.waiting import waiting

TARGETS = ("tflm",)
LAYOUTS = ("make", "cmake", "esp-idf", "zephyr", "arduino")


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
    "--output",
    "folder",
    required=True,
    type=options.FOLDER,
    help="The folder to write the C++ project to.",
)
@click.option(
    "--name",
    default="elastic_model",
    show_default=True,
    help="The network's: a C++ namespace, files and macros. Several names fit into one program.",
)
@click.option(
    "--layout",
    type=click.Choice(LAYOUTS),
    default=LAYOUTS[0],
    show_default=True,
    help="The build system that the project is for.",
)
@click.option(
    "--in-place",
    "in_place",
    multiple=True,
    metavar="VARIANT",
    help="Run this variant in place as well: its whole size in flash, none in RAM. Repeatable.",
)
@click.option(
    "--resident",
    is_flag=True,
    help="Keep all variants open in one arena, so that switching costs nothing; all run in place.",
)
@options.kernels
@click.option(
    "--margin",
    type=float,
    default=0.05,
    show_default=True,
    metavar="SHARE",
    help="What to add to each arena.",
)
@click.option(
    "--int8-kernels",
    is_flag=True,
    help="Register kernels for int8 alone where nothing else is used: less flash with tuned kernels.",
)
@click.option(
    "--profile",
    type=click.Path(exists=True, dir_okay=False),
    metavar="PROFILE.JSON",
    help="Embed this measured table; without one, the firmware measures at first start.",
)
@click.option("--force", is_flag=True, help="Overwrite files that you have changed.")
@options.as_json
def command(bundle: str, folder: str, as_json: bool, **asked: Any) -> None:
    """Write the variants of BUNDLE as one C array, and a C++ project whose selector runs them from it.

    Files that you changed are left alone, and named; --force overwrites them.

    \b
    tfelastic embed net.elastic -o firmware
    tfelastic embed net.elastic -o firmware --layout zephyr --kernels cmsis-nn --profile board.json
    """  # noqa: D301 - click knows a paragraph to leave alone by the character.
    from tflite_export import embed

    with waiting(f"writing {folder}"):
        report = embed(bundle, folder, **asked)
    if as_json:
        echo_json(report.to_json())
    else:
        click.echo(str(report))
