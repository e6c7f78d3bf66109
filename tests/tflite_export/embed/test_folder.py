"""What embed writes and what it leaves alone: the network's folder, the user's files."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.tflite_export.embed.conftest import SHARED
from tflite_export._embed import embed, folder
from tflite_export.errors import PackError

pytestmark = pytest.mark.usefixtures("measured")


def contents(project: Path) -> dict[str, bytes]:
    return {
        path.relative_to(project).as_posix(): path.read_bytes()
        for path in project.rglob("*")
        if path.is_file()
    }


def test_writing_again_gives_the_same_files_and_the_sums_fit(tmp_path: Path) -> None:
    report = embed(SHARED, tmp_path / "one")
    embed(SHARED, tmp_path / "other")
    before = contents(tmp_path / "one")
    assert before == contents(tmp_path / "other")
    assert set(report.files) == before.keys() - {"elastic_model/SHA256SUMS"}
    network = tmp_path / "one" / "elastic_model"
    subprocess.run(["sha256sum", "--quiet", "--check", "SHA256SUMS"], cwd=network, check=True)
    assert (network / "LICENSE").read_bytes().split()[:2] == [b"Apache", b"License"]
    assert embed(SHARED, tmp_path / "one").kept == ("main.cc", "Makefile")
    assert contents(tmp_path / "one") == before


def test_every_source_names_its_license(tmp_path: Path) -> None:
    embed(SHARED, tmp_path)
    sources = [*tmp_path.rglob("*.cc"), *tmp_path.rglob("*.h")]
    assert len(sources) > 15
    for path in sources:
        head = path.read_text("utf-8").splitlines()[0]
        assert "SPDX-License-Identifier: " in head or path.name == "main.cc", path


def test_the_users_files_stay_as_they_are(tmp_path: Path) -> None:
    embed(SHARED, tmp_path)
    main, makefile = tmp_path / "main.cc", tmp_path / "Makefile"
    main.write_text("int main() { return 42; }\n")
    makefile.unlink()
    report = embed(SHARED, tmp_path)
    assert report.kept == ("main.cc",)
    assert "left as they were: main.cc" in str(report)
    assert main.read_text() == "int main() { return 42; }\n"
    assert makefile.exists()
    assert embed(SHARED, tmp_path, force=True).kept == ()
    assert "selector.Run" in main.read_text()


@pytest.mark.parametrize("change", ["changed", "removed", "added"])
def test_a_changed_folder_is_replaced_only_by_force(change: str, tmp_path: Path) -> None:
    embed(SHARED, tmp_path)
    network = tmp_path / "elastic_model"
    file = network / ("own.h" if change == "added" else "elastic_model.h")
    before = contents(tmp_path)
    if change == "removed":
        file.unlink()
    else:
        file.write_text("// mine\n")
    mine = contents(tmp_path)
    with pytest.raises(PackError, match=rf"{file.name}.*force"):
        embed(SHARED, tmp_path)
    assert contents(tmp_path) == mine
    embed(SHARED, tmp_path, force=True)
    assert contents(tmp_path) == before


def test_a_folder_of_somebody_else_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "elastic_model").mkdir()
    (tmp_path / "elastic_model" / "thesis.tex").write_text("\\section{}")
    with pytest.raises(PackError, match="was not written by embed"):
        embed(SHARED, tmp_path)
    assert list(contents(tmp_path)) == ["elastic_model/thesis.tex"]


@pytest.mark.parametrize("failing", [0, 7, -1], ids=["first", "in between", "exchange"])
def test_the_folder_is_written_whole_or_not_at_all(
    failing: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = {f"file{index}": "new" for index in range(9)}
    folder.replace_folder(tmp_path / "net", {"file0": "old"})
    before = contents(tmp_path)
    if failing >= 0:
        real, count = os.fsync, iter(range(99))

        def full(descriptor: int) -> None:
            if next(count) == failing:
                raise OSError(28, "No space left on device")
            real(descriptor)

        monkeypatch.setattr(folder.os, "fsync", full)
    else:
        really = os.replace

        def refuse(source: Path, target: Path) -> None:
            if Path(source).name == ".new.net":
                raise OSError(13, "Permission denied")
            really(source, target)

        monkeypatch.setattr(folder.os, "replace", refuse)
    with pytest.raises(OSError, match=r"No space|Permission"):
        folder.replace_folder(tmp_path / "net", texts)
    assert contents(tmp_path) == before
    monkeypatch.undo()
    folder.replace_folder(tmp_path / "net", texts)
    assert contents(tmp_path)["net/file8"] == b"new"
    shutil.rmtree(tmp_path / "net")
