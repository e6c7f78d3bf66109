"""The files' templates: texts in `templates/` with places between at signs, as CMake writes them."""

import re
from collections.abc import Mapping
from pathlib import Path

FOLDER = Path(__file__).with_name("templates")
_PLACE = re.compile("@([A-Za-z_0-9]+)@")


def render(template: str, values: Mapping[str, str]) -> str:
    """Return a template's text with each `@key@` replaced by its value.

    Raises:
        KeyError: The template has a place that `values` has not.
    """
    text = (FOLDER / template).read_text("utf-8")
    return _PLACE.sub(lambda place: values[place[1]], text)
