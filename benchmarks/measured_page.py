"""The part of a page that a benchmark writes: what stands between its two marks."""

from pathlib import Path


def write(path: Path, text: str, *, mark: str = "measured") -> None:
    """Replace what stands between the two marks of this name in a page.

    Raises:
        ValueError: The page has no such marks.
    """
    opening, closing = f"<!-- {mark}: begin -->", f"<!-- {mark}: end -->"
    before, begin, rest = path.read_text("utf-8").partition(opening)
    _, end, after = rest.partition(closing)
    if not (begin and end):
        raise ValueError(f"{path}: expected the marks {opening} and {closing}")
    path.write_text(f"{before}{opening}\n\n{text}\n\n{closing}{after}", "utf-8")
