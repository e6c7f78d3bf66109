"""`Placement`: what of a bundle lies in a board's flash and in its RAM, and which kernels run it there."""

from dataclasses import dataclass

from tflite_export.arena import get_kernels
from tflite_export.errors import ProfileError


@dataclass(frozen=True, kw_only=True)
class Placement:
    """How a bundle is placed on a board.

    Attributes:
        in_place: Variants that are to run in place although their kernels are no others': they take
            their whole size in flash, and no RAM.
        resident: Whether all variants stay open in one arena, so that switching costs nothing. All of them
            have to run in place.
        kernels: The library of kernels on the board, for whose scratch memory each arena is planned: `"reference"`,
            `"cmsis-nn"`, `"cmsis-nn-mve"` or `"esp-nn"`.
        margin: The share added to each arena, from 0 to 1.
        int8_kernels: Whether operators used in int8 alone are registered for int8 alone.

    Raises:
        SchemeError: There is no such library of kernels.
        ProfileError: The margin is no share from 0 to 1.
    """

    in_place: tuple[str, ...] = ()
    resident: bool = False
    kernels: str = "reference"
    margin: float = 0.05
    int8_kernels: bool = False

    def __post_init__(self) -> None:
        get_kernels(self.kernels)
        if not 0 <= self.margin <= 1:
            raise ProfileError(
                f"an arena's margin is a share from 0 to 1, as 0.05 for 5 %; received {self.margin!r}"
            )
