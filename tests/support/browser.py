"""Pages as chromium lays them out: several widths and colour schemes in one start of the browser.

The page stands in frames of a page of ours, for a frame has any width, which a headless window has not, and its colour
scheme follows from the frame's own. What a script there measures is read from the dumped document.
"""

import html
import json
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

SCHEMES = ("light", "dark")

_FRAME = """
<iframe data-width="{width}" data-scheme="{scheme}" src="{source}"
  style="width: {width}px; height: 900px; border: 0; color-scheme: {scheme}"></iframe>
"""
_MEASURE = """
<pre id="found"></pre>
<script>
addEventListener("load", () => {
  const found = [...document.querySelectorAll("iframe")].map((frame) => {
    const page = frame.contentDocument, root = page.documentElement;
    const broken = [...page.images].filter((each) => !each.naturalWidth).length;
    const figures = [...page.querySelectorAll("svg")].map((each) => each.getBoundingClientRect());
    const style = frame.contentWindow.getComputedStyle(page.body);
    return {
      width: Number(frame.dataset.width), scheme: frame.dataset.scheme,
      scroll_width: root.scrollWidth, client_width: root.clientWidth,
      figures: figures.map((each) => [each.width, each.height]), broken,
      background: style.backgroundColor, ink: style.color,
    };
  });
  document.getElementById("found").textContent = JSON.stringify(found);
});
</script>
"""


@dataclass(frozen=True)
class View:
    """A page at one width in one colour scheme.

    Attributes:
        width: The width in pixels.
        scheme: `light` or `dark`.
        scroll_width: How wide the content is; wider than `client_width`, the page scrolls sideways.
        client_width: How much of the width the content may take.
        figures: The width and height of each SVG picture as it is shown.
        broken: How many images do not load.
        background: The page's background, `rgb(...)`.
        ink: The colour of its text.
    """

    width: int
    scheme: str
    scroll_width: int
    client_width: int
    figures: list[list[float]]
    broken: int
    background: str
    ink: str


def look(page: Path, folder: Path, *, widths: Sequence[int] = (390, 1280)) -> list[View]:
    """Return how a page looks at each width, in light and in dark.

    Args:
        page: The page.
        folder: Where to keep the page around it, and the browser's profile.
        widths: In pixels.

    Raises:
        AssertionError: The browser reports an error or a warning of the page, or does not end.
    """
    around = folder / "around.html"
    source = html.escape(page.resolve().as_uri())
    frames = (
        _FRAME.format(width=width, scheme=scheme, source=source)
        for width in widths
        for scheme in SCHEMES
    )
    around.write_text(f"<!doctype html><meta charset='utf-8'>{''.join(frames)}{_MEASURE}")
    program = shutil.which("chromium")
    assert program, "chromium is not installed; make system-packages installs it"
    done = subprocess.run(
        [
            *(program, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
            *("--no-first-run", "--disable-extensions", "--disable-background-networking"),
            # A frame of another file is another origin otherwise, whose layout is not to be seen.
            *("--allow-file-access-from-files", f"--user-data-dir={folder / 'profile'}"),
            *("--enable-logging=stderr", "--virtual-time-budget=5000", "--dump-dom"),
            around.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    said = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    assert not said, said
    found = re.search(r'<pre id="found">(.*?)</pre>', done.stdout, re.DOTALL)
    assert found, done.stdout[-2000:]
    assert found[1], done.stderr[-2000:]
    return [View(**each) for each in json.loads(html.unescape(found[1]))]
