import errno
import os
import stat
from pathlib import Path

import pytest

from tfelastic.files import atomic_write, write_atomically


def test_the_data_are_on_the_disk_before_the_file_gets_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []
    fsync, replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda fd: (calls.append("fsync"), fsync(fd)))
    monkeypatch.setattr(os, "replace", lambda a, b: (calls.append("replace"), replace(a, b)))
    assert write_atomically(tmp_path / "a.txt", "grün").read_text("utf-8") == "grün"
    assert calls[:2] == ["fsync", "replace"]


@pytest.mark.parametrize("failure", [KeyboardInterrupt(), ValueError("odd"), OSError("full")])
def test_a_failure_keeps_the_old_file_and_leaves_no_other(
    tmp_path: Path, failure: BaseException
) -> None:
    path = tmp_path / "net.weights.h5"
    write_atomically(path, b"old")

    def fail() -> None:
        with atomic_write(path) as temporary:
            _write_half(temporary, path)
            raise failure

    with pytest.raises(type(failure)):
        fail()
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def _write_half(temporary: Path, path: Path) -> None:
    assert temporary.parent == path.parent
    assert temporary.name.endswith(".weights.h5"), "Keras chooses a format by the suffix"
    temporary.write_bytes(b"half")


def test_what_a_killed_process_left_behind_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    with atomic_write(path) as temporary:
        temporary.write_bytes(b"new")
    temporary.write_bytes(b"half of a longer file")
    write_atomically(path, b"newer")
    assert path.read_bytes() == b"newer"
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_in_the_place_of_the_temporary_file_is_not_followed(tmp_path: Path) -> None:
    outside, folder = tmp_path / "outside.txt", tmp_path / "folder"
    folder.mkdir()
    outside.write_text("untouched")
    (folder / ".tmp.a.txt").symlink_to(outside)
    write_atomically(folder / "a.txt", "new")
    assert outside.read_text() == "untouched"
    assert not (folder / "a.txt").is_symlink()


def test_the_error_names_the_file_and_keeps_its_kind(tmp_path: Path) -> None:
    missing = tmp_path / "absent" / "a.txt"
    with pytest.raises(FileNotFoundError) as caught:
        write_atomically(missing, b"")
    assert caught.value.filename == str(missing)
    full = OSError(errno.ENOSPC, "No space left on device")
    with pytest.raises(OSError, match="No space left") as caught, atomic_write(tmp_path / "b"):
        raise full
    assert (caught.value.filename, caught.value.errno) == (str(tmp_path / "b"), errno.ENOSPC)
    bare = OSError("unable to write")
    with (
        pytest.raises(OSError, match=r"unable to write: .*c\.h5"),
        atomic_write(tmp_path / "c.h5"),
    ):
        raise bare


def test_the_mode_follows_the_umask(tmp_path: Path) -> None:
    (tmp_path / "usual").touch()
    write_atomically(tmp_path / "written", b"")
    assert len({stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}) == 1
