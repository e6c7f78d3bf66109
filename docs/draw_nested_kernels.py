"""Draws docs/nested_kernels.svg: one kernel of three rungs, as the two ways of training see it."""

from pathlib import Path

from tfelastic.files import write_atomically

CELL = 14
# Channels of the three rungs, of 16.
RUNGS = (16, 12, 8)
SIDE = RUNGS[0] * CELL
INK = "#1f2933"
JOINT = ("#cfe3f5", "#8dbde6", "#3f87c6")
# What growing does with a part of the kernel in the step that is drawn.
FROZEN, TRAINED, LATER = "#b8c0c8", "#f2a65a", "#f4f1ea"


def square(x: int, y: int, channels: int, colour: str) -> str:
    """Return a rung's part of the kernel, `[channels inputs, channels outputs]`, from the upper left corner."""
    side = channels * CELL
    return f'<rect x="{x}" y="{y}" width="{side}" height="{side}" fill="{colour}" stroke="{INK}"/>'


def text(x: float, y: float, words: str, *, size: int = 12, anchor: str = "middle") -> str:
    """Return a line of text."""
    return f'<text x="{x}" y="{y}" font-size="{size}" text-anchor="{anchor}">{words}</text>'


def kernel(x: int, y: int, colours: tuple[str, ...], labels: tuple[str, ...]) -> list[str]:
    """Return a kernel, widest rung first, each rung's colour and what stands in its lower right corner."""
    parts = [square(x, y, n, colour) for n, colour in zip(RUNGS, colours, strict=True)]
    for channels, label in zip(RUNGS, labels, strict=True):
        corner = channels * CELL
        parts.append(text(x + corner - 6, y + corner - 8, label, anchor="end"))
    return parts


def joint(x: int, y: int) -> list[str]:
    """Return the picture of joint training: every step trains all squares."""
    return [
        text(x, y - 40, "Joint training: each step trains every rung", size=14, anchor="start"),
        text(x + SIDE / 2, y - 10, "outputs &#8594;"),
        text(x - 8, y + 12, "inputs", anchor="end"),
        text(x - 8, y + 28, "&#8595;", anchor="end"),
        *kernel(x, y, JOINT, ("w100", "w075", "w050")),
    ]


def growing(x: int, y: int) -> list[str]:
    """Return the three pictures of prune-and-grow: the core, then a level around it, then the whole."""
    steps = (
        ("1: train the core", (LATER, LATER, TRAINED), ("", "", "w050")),
        ("2: freeze it, grow w075", (LATER, TRAINED, FROZEN), ("", "w075", "w050")),
        ("3: freeze both, grow w100", (TRAINED, FROZEN, FROZEN), ("w100", "w075", "w050")),
    )
    title = "Prune and grow: one level after the other"
    parts = [text(x, y - 40, title, size=14, anchor="start")]
    for number, (words, colours, labels) in enumerate(steps):
        left = x + number * (SIDE + 30)
        parts += [text(left + SIDE / 2, y - 10, words), *kernel(left, y, colours, labels)]
    for number, (colour, words) in enumerate(
        ((TRAINED, "trained now"), (FROZEN, "frozen to the last bit"), (LATER, "not in use yet"))
    ):
        left = x + number * 190
        top = y + SIDE + 16
        parts.append(
            f'<rect x="{left}" y="{top}" width="14" height="14" fill="{colour}" stroke="{INK}"/>'
        )
        parts.append(text(left + 22, top + 12, words, anchor="start"))
    return parts


def main() -> None:
    """Write the picture beside this script."""
    wide, high = 3 * SIDE + 60 + 120, 2 * SIDE + 240
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide} {high}" '
        f'font-family="sans-serif" fill="{INK}">',
        f'<rect width="{wide}" height="{high}" fill="white"/>',
        *joint(60, 70),
        *growing(60, SIDE + 160),
        "</svg>",
    ]
    path = Path(__file__).with_name("nested_kernels.svg")
    write_atomically(path, "\n".join(parts) + "\n")


if __name__ == "__main__":
    main()
