"""Pages of the repository that stand outside of `docs`, and links to them, for the site (a hook of MkDocs).

The documents link to each other as the repository's files do, so that they read on any code host too. Here the files
outside of `docs` that they link to become pages of the site, and the links are made to fit.
"""

import posixpath
import re
from pathlib import Path, PurePosixPath

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
HOME = "index.md"
# From the repository's path to the site's; Markdown files become pages, others are copied.
PAGES = {
    "README.md": HOME,
    **{
        path: path
        for path in (
            "CHANGELOG.md",
            "CONTRIBUTING.md",
            "LICENSE",
            "examples/android/README.md",
            "examples/android/app/README.md",
            "runtime/SPEC.md",
            "runtime/cpp/README.md",
            "runtime/kotlin/README.md",
            "runtime/python/README.md",
            "runtime/profile.schema.json",
            "tflite_export/bundle/FORMAT.md",
            "tflite_export/bundle/manifest.schema.json",
        )
    },
}
_LINK = re.compile(r"(\]\()([^)#\s:]+)(#[^)\s]*)?(\))")


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Add the files outside of `docs` to those of the site."""
    for source, place in PAGES.items():
        files.append(File.generated(config, place, abs_src_path=str(ROOT / source)))
    return files


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Return the page's text with links that fit the site."""
    here = str(PurePosixPath(page.file.abs_src_path).relative_to(ROOT))
    return _LINK.sub(lambda link: _fitted(link, here=here, place=page.file.src_uri), markdown)


def _fitted(link: re.Match[str], *, here: str, place: str) -> str:
    """Return a link of the file `here` as it must read on the page `place`.

    A target that the site does not have is left as it is: the strict build names it.
    """
    opening, target, anchor, closing = link.groups(default="")
    source = posixpath.normpath(posixpath.join(posixpath.dirname(here), target))
    on_site = PAGES.get(source) or source.removeprefix("docs/")
    if on_site == source and source not in PAGES:
        return link.group()
    return opening + posixpath.relpath(on_site, posixpath.dirname(place) or ".") + anchor + closing
