"""Types of arguments and options, and the options that several commands share."""

import math
from typing import Any

import click


class Number(click.FloatRange):
    """A finite number in a range: Python reads `nan` and `inf` as numbers too."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return the number, or fail with what was expected."""
        number = float(super().convert(value, param, ctx))
        if not math.isfinite(number):
            self.fail(f"{value!r} is not a finite number.", param, ctx)
        return number


#: A path, which shells complete; what is wrong with it is said where it is opened.
PATH = click.Path()


class Folder(click.Path):
    """A folder to write to, which may not exist yet."""

    def __init__(self) -> None:
        super().__init__(file_okay=False)
        self.name = "folder"


FOLDER = Folder()


class ImageSize(click.ParamType):
    """Pixels per side of a square, or a height and a width."""

    name = "size"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> int | list[int]:
        """Read `96` or `96x128`."""
        sides = str(value).split("x")
        if len(sides) > 2 or not all(side.isdecimal() and int(side) for side in sides):
            self.fail(f"{value!r}: expected pixels per side, or HEIGHTxWIDTH", param, ctx)
        return int(sides[0]) if len(sides) == 1 else [int(side) for side in sides]


IMAGE_SIZE = ImageSize()

COUNT = click.IntRange(1, 2**31 - 1)
POSITIVE = Number(min=0, min_open=True)
SHARE = Number(0, 1)

#: What numpy and Keras take alike.
SEED = click.IntRange(0, 2**32 - 1)

#: Libraries of kernels for TFLM, as `tflite_export` knows them.
KERNELS = ("reference", "cmsis-nn", "cmsis-nn-mve", "esp-nn")

kernels = click.option(
    "--kernels",
    type=click.Choice(KERNELS),
    default=KERNELS[0],
    show_default=True,
    help="The library of kernels on the board, for whose scratch memory the arenas are planned.",
)
#: Quantization choices, as `tflite_export` knows them.
SCHEME = click.Choice(["float32", "float16", "dynamic", "int8", "int16x8", "int8-qat"])

scheme = click.option(
    "--scheme",
    type=SCHEME,
    default="int8",
    show_default=True,
    help="How weights and sums are stored.",
)
as_json = click.option("--json", "as_json", is_flag=True, help="Print the results as JSON.")
quiet = click.option("-q", "--quiet", is_flag=True, help="No progress.")
workers = click.option(
    "--workers",
    metavar="local:N|ray://HOST:PORT",
    help="Spread independent work over N processes of this machine, or over a Ray cluster.",
)
