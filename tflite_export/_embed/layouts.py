"""Layouts: the build systems that a project can be written for, all from the same sources."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tflite_export._embed.sources import SOURCES
from tflite_export._embed.templates import FOLDER, render
from tflite_export.errors import PackError


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Where a build system looks for what.

    Attributes:
        name: What users write: `embed(..., layout=name)`.
        folder: The network's own folder, which is written anew each time; `{name}` is the network's.
        source_folder: Where the sources lie in it, or nothing.
        suffix: Of C++ sources.
        generated: Further files of the network's folder, and their templates.
        starters: Files of the user, written once, and their templates.
        entry: The template of the end of the example, where the program begins.
        includes: What the example includes for that.
        print_line: How the example prints `line`.
    """

    name: str
    folder: str = "{name}"
    source_folder: str = ""
    suffix: str = ".cc"
    generated: Mapping[str, str] = field(default_factory=dict)
    starters: Mapping[str, str]
    entry: str = "entry_main.cc"
    includes: str = ""
    print_line: str = "std::puts(line);"

    def network_files(
        self, sources: Mapping[str, str], values: Mapping[str, str]
    ) -> dict[str, str]:
        """Return the network's folder: texts by path."""
        within = f"{self.source_folder}/" if self.source_folder else ""
        files = {
            path if path == "LICENSE" else within + path: text for path, text in sources.items()
        }
        lines = "".join(f"    {values['name']}_{part}{self.suffix}\n" for part in SOURCES).rstrip()
        more = {**values, "source_lines": lines}
        more["building"] = render(f"building/{self.name}.md", values)
        templates = {"README.md": "README.md", **self.generated}
        return files | {path: render(template, more) for path, template in templates.items()}

    def starter_files(self, values: Mapping[str, str]) -> dict[str, str]:
        """Return the user's files: texts by path in the project."""
        more = {
            **values,
            "entry": (FOLDER / self.entry).read_text("utf-8").rstrip(),
            "entry_includes": self.includes,
            "print_line": self.print_line,
        }
        return {path: render(template, more) for path, template in self.starters.items()}


LAYOUTS = {
    layout.name: layout
    for layout in (
        Layout(name="make", starters={"main.cc": "main.cc", "Makefile": "Makefile"}),
        Layout(
            name="cmake",
            generated={"CMakeLists.txt": "cmake/network.cmake"},
            starters={"main.cc": "main.cc", "CMakeLists.txt": "cmake/project.cmake"},
        ),
        Layout(
            name="esp-idf",
            folder="components/{name}",
            generated={
                "CMakeLists.txt": "esp-idf/component.cmake",
                "idf_component.yml": "esp-idf/idf_component.yml",
            },
            starters={
                "main/main.cc": "main.cc",
                "main/CMakeLists.txt": "esp-idf/main.cmake",
                "CMakeLists.txt": "esp-idf/project.cmake",
                "sdkconfig.defaults": "esp-idf/sdkconfig.defaults",
            },
            entry="entry_esp_idf.cc",
            includes='\n#include "freertos/FreeRTOS.h"\n#include "freertos/task.h"\n',
        ),
        Layout(
            name="zephyr",
            generated={
                "CMakeLists.txt": "zephyr/module.cmake",
                "Kconfig": "zephyr/Kconfig",
                "zephyr/module.yml": "zephyr/module.yml",
            },
            starters={
                "src/main.cc": "main.cc",
                "CMakeLists.txt": "zephyr/project.cmake",
                "prj.conf": "zephyr/prj.conf",
            },
            entry="entry_zephyr.cc",
            includes="\n#include <zephyr/kernel.h>\n",
        ),
        Layout(
            name="arduino",
            folder="libraries/{name}",
            source_folder="src",
            suffix=".cpp",
            generated={
                "library.properties": "arduino/library.properties",
                "library.json": "arduino/library.json",
            },
            starters={"firmware/firmware.ino": "main.cc"},
            entry="entry_arduino.cc",
            includes="\n#include <Arduino.h>\n",
            print_line="Serial.println(line);",
        ),
    )
}


def get_layout(name: str) -> Layout:
    """Return the layout called `name`.

    Raises:
        PackError: There is none of that name; the text lists those there are.
    """
    if name not in LAYOUTS:
        raise PackError(f"unknown layout {name!r}; known: {', '.join(LAYOUTS)}")
    return LAYOUTS[name]
