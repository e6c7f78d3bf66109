import os
import warnings

import pytest

from tflite_export.quantize.quiet import quietly


def test_what_c_code_and_python_write_to_stderr_is_caught(capfd):
    with quietly() as chatter:
        os.write(2, b"from below\n")
        warnings.warn("from Python", stacklevel=1)
        told = chatter.tail()
    os.write(2, b"afterwards\n")
    assert told == "from below"
    assert capfd.readouterr().err == "afterwards\n"


def test_an_error_passes_through_and_stderr_comes_back(capfd):
    def fail() -> None:
        with quietly():
            os.write(2, b"hidden\n")
            raise KeyError("cause")

    with pytest.raises(KeyError, match="cause"):
        fail()
    os.write(2, b"back\n")
    assert capfd.readouterr().err == "back\n"


def test_only_the_tail_of_long_chatter_is_kept():
    with quietly() as chatter:
        os.write(2, b"x" * 5000 + b"end\n")
        assert chatter.tail().endswith("end")
        assert len(chatter.tail()) < 2100
