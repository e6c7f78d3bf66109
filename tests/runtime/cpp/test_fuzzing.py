"""A short attack on the C++ reader by libFuzzer, from the same start each time; `make fuzz` is the long one."""

import re
from pathlib import Path

import pytest

from tests.fuzz.fuzz_reader import attack

pytestmark = pytest.mark.slow


def test_the_reader_withstands_guided_mutations(tmp_path: Path) -> None:
    (tmp_path / "corpus").mkdir()
    said = attack(
        tmp_path,
        tmp_path / "corpus",
        "-runs=8000",
        "-seed=1",
        "-print_final_stats=1",
        "-verbosity=1",
    )
    executed, added = (
        int(re.findall(rf"stat::{name}: +(\d+)", said)[0])
        for name in ("number_of_executed_units", "new_units_added")
    )
    assert executed == 8000
    # It found its way into what the seeds do not reach.
    assert added > 50
