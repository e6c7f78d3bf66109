"""`tfelastic app`: an Android app around a bundle."""

from typing import Any

import click

from pipelines.cli import options
from pipelines.cli.json_output import echo_json
from pipelines.cli.waiting import waiting


@click.command()
@click.argument("bundle", metavar="BUNDLE", type=click.Path(exists=True, dir_okay=False))
@click.option(
    "-o",
    "--output",
    "folder",
    required=True,
    type=options.FOLDER,
    help="The folder to write the Gradle project to.",
)
@click.option(
    "--application-id",
    default="tfelastic.example",
    show_default=True,
    help="By which a phone tells the app from others, such as com.example.birds.",
)
@click.option("--title", help="The app's title on the phone. Default: the bundle's name.")
@click.option("--force", is_flag=True, help="Overwrite files that you have changed.")
@options.as_json
def command(bundle: str, folder: str, as_json: bool, **asked: Any) -> None:
    """Write an Android app whose selector runs BUNDLE, a network of one image, from its assets.

    Written again, for a new bundle or a newer runtime, it leaves alone what you changed, and names it.

    \b
    tfelastic app net.elastic -o android
    tfelastic app net.elastic -o android --application-id com.example.birds --title Birds
    """  # noqa: D301 - click knows a paragraph to leave alone by the character.
    from tflite_export import app

    with waiting(f"writing {folder}"):
        report = app(bundle, folder, **asked)
    if as_json:
        echo_json(report.to_json())
    else:
        click.echo(str(report))
