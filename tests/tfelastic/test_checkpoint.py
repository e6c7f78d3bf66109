import contextlib
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from tfelastic.checkpoint import Checkpoint
from tfelastic.errors import CheckpointError

SETTINGS = {"epochs": 3, "widths": (1.0, 0.5)}


def variables(*shapes: tuple[int, ...], dtype: str = "float32") -> list[keras.Variable]:
    rng = np.random.default_rng(0)
    return [
        keras.Variable(rng.normal(size=shape), dtype=dtype, name=f"v{index}")
        for index, shape in enumerate(shapes)
    ]


def values(of: list[keras.Variable]) -> list[np.ndarray]:
    return [keras.ops.convert_to_numpy(variable).copy() for variable in of]


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "folder" / "net.npz"
    Checkpoint(path, SETTINGS).save({"epoch": 2}, variables((3, 2), (4,), ()))
    return path


@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16", "int32", "uint32", "bool"])
def test_restores_every_bit(tmp_path: Path, dtype: str) -> None:
    state = variables((5, 3), (), dtype=dtype)
    before = values(state)
    checkpoint = Checkpoint(tmp_path / "net.npz")
    checkpoint.save({"history": [{"loss": 0.5}]}, state)
    for variable in state:
        variable.assign(keras.ops.zeros_like(variable))
    assert checkpoint.restore(state) == {"history": [{"loss": 0.5}]}
    for one, other in zip(before, values(state), strict=True):
        np.testing.assert_array_equal(one, other)


def test_no_file_is_a_fresh_start(tmp_path: Path) -> None:
    assert Checkpoint(tmp_path / "net.npz").restore(variables((2,))) is None


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"epochs": 4, "widths": (1.0, 0.5)}, "another epochs;"),
        ({"epochs": 4, "widths": (1.0, 0.25)}, "another epochs and another widths;"),
        ({**SETTINGS, "seed": 1}, "another seed;"),
        ({"epochs": 3}, "another widths;"),
    ],
)
def test_other_settings_are_refused_by_name(
    saved: Path, settings: dict[str, Any], named: str
) -> None:
    with pytest.raises(CheckpointError, match=f"net.npz was begun with {named}"):
        Checkpoint(saved, settings).restore(variables((3, 2), (4,), ()))


@pytest.mark.parametrize(
    ("shapes", "dtype", "message"),
    [
        (((3, 2), (4,)), "float32", "holds 3 variables, .* have 2"),
        (((3, 2), (5,), ()), "float32", r"'v1' as float32 \(4,\), here .* float32 \(5,\)"),
        (((3, 2), (4,), ()), "float64", "'v0' as float32 .* is float64"),
    ],
)
def test_another_model_is_refused_before_any_variable_changes(
    saved: Path, shapes: Any, dtype: str, message: str
) -> None:
    state = variables(*shapes, dtype=dtype)
    for variable in state:
        variable.assign(keras.ops.ones_like(variable))
    with pytest.raises(CheckpointError, match=message):
        Checkpoint(saved, SETTINGS).restore(state)
    assert all((value == 1).all() for value in values(state))


@pytest.mark.parametrize("part", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_a_truncated_file_is_named(saved: Path, part: float) -> None:
    data = saved.read_bytes()
    saved.write_bytes(data[: int(len(data) * part)])
    with pytest.raises(CheckpointError, match=r"net\.npz is damaged .*delete it"):
        Checkpoint(saved, SETTINGS).restore(variables((3, 2), (4,), ()))


def test_a_flipped_byte_is_an_error_or_harmless(saved: Path) -> None:
    data = saved.read_bytes()
    for index in range(0, len(data), 7):
        saved.write_bytes(data[:index] + bytes([data[index] ^ 0x55]) + data[index + 1 :])
        state = variables((3, 2), (4,), ())
        expected = values(state)
        with contextlib.suppress(CheckpointError):
            Checkpoint(saved, SETTINGS).restore(state)
        for one, other in zip(expected, values(state), strict=True):
            np.testing.assert_array_equal(one, other)


def test_foreign_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "net.npz"

    def refuse(match: str) -> None:
        with pytest.raises(CheckpointError, match=match):
            Checkpoint(path).restore([])

    path.write_text("{}")
    refuse("damaged or no checkpoint")
    with open(path, "wb") as file:
        np.save(file, np.zeros(3))
    refuse("holds one array")
    np.savez(path, weights=np.zeros(3))
    refuse("damaged or no checkpoint")
    np.savez(path, header=np.frombuffer(b'{"format": "tfelastic checkpoint 9"}', np.uint8))
    refuse("of format 'tfelastic checkpoint 9', this version reads")
    np.savez(path, header=np.array([object()], dtype=object))
    refuse("damaged or no checkpoint")
