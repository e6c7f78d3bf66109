"""The Android project around a bundle: the example's own sources, written whole or not at all."""

import hashlib
import os
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from tfelastic_runtime import Bundle

import tflite_export as tx
from tflite_export.errors import PackError

ROOT = Path(__file__).parents[3]
CONFORMANCE = ROOT / "runtime" / "conformance"
IMAGES = CONFORMANCE / "golden.elastic"
EXAMPLE = ROOT / "examples" / "android"
SCREEN = "app/src/main/kotlin/tfelastic/example/MainActivity.kt"
ASSET = "app/src/main/assets/model.elastic"


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_the_project_is_the_example_and_the_runtime_with_the_bundle(tmp_path):
    report = tx.app(IMAGES, tmp_path / "android")
    found = contents(tmp_path / "android")
    assert set(report.files) == set(found)
    assert report.kept == ()
    assert found[ASSET] == IMAGES.read_bytes()
    for folder, prefix in (
        (EXAMPLE, ""),
        (ROOT / "runtime/kotlin/core", "tfelastic/core/"),
        (ROOT / "runtime/kotlin/android", "tfelastic/android/"),
    ):
        for path in (*folder.rglob("*.kt"), *folder.rglob("AndroidManifest.xml")):
            assert found[prefix + path.relative_to(folder).as_posix()] == path.read_bytes()
    sums = found.pop("SHA256SUMS").decode().splitlines()
    assert sums == [f"{hashlib.sha256(found[p]).hexdigest()}  {p}" for p in sorted(found)]
    assert list(tmp_path.iterdir()) == [tmp_path / "android"]


def test_every_module_is_where_the_settings_say(tmp_path):
    tx.app(IMAGES, tmp_path / "android")
    settings = (tmp_path / "android" / "settings.gradle.kts").read_text("utf-8")
    folders = re.findall(r'file\("([^"]+)"\)', settings)
    assert folders == ["tfelastic/core", "tfelastic/android"]
    for folder in (*folders, "app"):
        assert (tmp_path / "android" / folder / "build.gradle.kts").is_file()


def test_labels_lie_beside_the_bundle_in_its_order(tmp_path):
    tx.app(IMAGES, tmp_path / "android")
    labels = [each.labels for each in Bundle.open(IMAGES).manifest.outputs if each.labels]
    written = (tmp_path / "android" / "app/src/main/assets/labels.txt").read_text("utf-8")
    assert tuple(written.splitlines()) == tuple(labels[0])


def test_the_app_has_the_users_name_and_identifier(tmp_path):
    title = 'Birds & "friends" <3'
    tx.app(IMAGES, tmp_path / "a", application_id="com.example.birds", title=title)
    build = (tmp_path / "a" / "app" / "build.gradle.kts").read_text("utf-8")
    assert 'applicationId = "com.example.birds"' in build
    strings = ElementTree.parse(tmp_path / "a" / "app/src/main/res/values/strings.xml").getroot()
    (name,) = [each.text for each in strings if each.get("name") == "app_name"]
    assert name == 'Birds & \\"friends\\" <3'
    for wrong in ("birds", "com.1birds", "com.example.b\nirds", ""):
        with pytest.raises(PackError, match="application id"):
            tx.app(IMAGES, tmp_path / "b", application_id=wrong)
    assert not (tmp_path / "b").exists()


def test_what_the_user_changed_stays_unless_forced(tmp_path):
    project = tmp_path / "android"
    tx.app(IMAGES, project)
    screen, asset, readme = (project / each for each in (SCREEN, ASSET, "README.md"))
    original = screen.read_bytes()
    screen.write_text("// mine\n")
    asset.unlink()
    readme.write_text(readme.read_text("utf-8"), encoding="utf-8")
    (project / "local.properties").write_text("sdk.dir=/sdk\n")
    for _ in range(2):
        assert tx.app(IMAGES, project, title="Another").kept == (SCREEN,)
        assert screen.read_text("utf-8") == "// mine\n"
        assert asset.read_bytes() == IMAGES.read_bytes()
    assert tx.app(IMAGES, project, force=True).kept == ()
    assert screen.read_bytes() == original
    assert (project / "local.properties").is_file()


def test_a_folder_of_something_else_is_left_alone(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    with pytest.raises(PackError, match="not written by app"):
        tx.app(IMAGES, tmp_path / "mine")
    assert contents(tmp_path / "mine") == {"notes.txt": b"mine"}
    (tmp_path / "empty").mkdir()
    assert len(tx.app(IMAGES, tmp_path / "empty").files) == len(contents(tmp_path / "empty"))


def test_a_write_that_fails_leaves_nothing(tmp_path, monkeypatch):
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="No space"):
        tx.app(IMAGES, tmp_path / "android")
    assert list(tmp_path.iterdir()) == []


def test_a_network_of_other_inputs_is_refused_by_their_names(tmp_path):
    names = [each.name for each in Bundle.open(CONFORMANCE / "interfaces.elastic").manifest.inputs]
    with pytest.raises(PackError, match=names[0]):
        tx.app(CONFORMANCE / "interfaces.elastic", tmp_path / "android")
    assert list(tmp_path.iterdir()) == []
