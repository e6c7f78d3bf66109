"""The Android sources compile against stubs of what they use; the app's resources and settings are there."""

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.support.kotlin import ANDROID, BUILD, CORE, LITERT_STUB, ROOT, STUBS, Module, compiled

pytestmark = pytest.mark.slow

PROJECT = ROOT / "examples" / "android"
MAIN = PROJECT / "app" / "src" / "main"
STRINGS = ElementTree.parse(MAIN / "res" / "values" / "strings.xml").getroot()


@pytest.fixture(scope="module")
def resources() -> Path:
    """The class R, with every text of the app, as Android's build makes it."""
    folder = BUILD / "resources"
    names = "".join(
        f"        public static final int {each.get('name')} = {number};\n"
        for number, each in enumerate(STRINGS)
    )
    file = folder / "tfelastic" / "example" / "R.java"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(
        "package tfelastic.example;\n\npublic final class R {\n"
        f"    public static final class string {{\n{names}    }}\n}}\n"
    )
    return folder


def test_the_app_compiles(resources: Path) -> None:
    app = Module(
        "app", (MAIN / "kotlin",), (CORE, ANDROID, LITERT_STUB), java=(STUBS / "java", resources)
    )
    assert compiled(app).classes.joinpath("tfelastic/example/MainActivity.class").is_file()


def test_every_text_is_used_with_as_many_values_as_it_has() -> None:
    source = "".join(file.read_text("utf-8") for file in (MAIN / "kotlin").rglob("*.kt"))
    manifest = (MAIN / "AndroidManifest.xml").read_text("utf-8")
    for each in STRINGS:
        name, places = each.get("name"), len(set(re.findall(r"%(\d)\$", each.text or "")))
        if f"@string/{name}" in manifest:
            continue
        calls = re.findall(rf"\(R\.string\.{name}\b([^\n]*)", source)
        assert calls, f"the text {name} is not used"
        for call in calls:
            arguments = _arguments(call) if call.startswith(",") else 0
            assert arguments == places, name


def _arguments(call: str) -> int:
    """Return how many arguments follow up to the bracket that was open before `call`."""
    depth, found = 1, 0
    for letter in call:
        depth += (letter == "(") - (letter == ")")
        found += depth == 1 and letter == ","
        if not depth:
            break
    return found


def test_the_manifest_names_the_activity_and_asks_for_no_permission() -> None:
    manifest = ElementTree.parse(MAIN / "AndroidManifest.xml").getroot()
    space = "{http://schemas.android.com/apk/res/android}"
    (activity,) = manifest.iter("activity")
    name = activity.get(f"{space}name")
    assert name is not None
    assert (MAIN / "kotlin" / "tfelastic" / "example" / f"{name[1:]}.kt").is_file()
    assert not list(manifest.iter("uses-permission"))


def test_bundles_are_not_compressed_and_phones_since_android_7_are_served() -> None:
    build = (PROJECT / "app" / "build.gradle.kts").read_text("utf-8")
    assert 'noCompress += "elastic"' in build
    assert "minSdk = 24" in build
    session = (MAIN / "kotlin" / "tfelastic" / "example" / "Session.kt").read_text("utf-8")
    assert 'ASSET = "model.elastic"' in session


def test_every_module_of_the_project_is_where_its_settings_say() -> None:
    settings = (PROJECT / "settings.gradle.kts").read_text("utf-8")
    folders = re.findall(r'file\("([^"]+)"\)', settings)
    assert len(folders) == 2
    for folder in (*folders, "app"):
        assert (PROJECT / folder / "build.gradle.kts").is_file()


def test_the_page_names_every_version_that_was_never_resolved() -> None:
    files = [PROJECT / "build.gradle.kts", *(ROOT / "runtime" / "kotlin").rglob("build.gradle.kts")]
    text = "".join(file.read_text("utf-8") for file in files)
    named = re.findall(r'version "([^"]+)"', text) + re.findall(r'api\("[^"]+:([\d.]+)"\)', text)
    assert len(named) == 6
    page = (PROJECT / "app" / "README.md").read_text("utf-8")
    for version in named:
        assert version in page
