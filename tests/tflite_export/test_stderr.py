import os
import warnings

import pytest

from tflite_export.stderr import capture_stderr


def test_what_c_code_and_python_write_to_stderr_is_caught(capfd):
    with capture_stderr() as captured:
        os.write(2, b"from below\n")
        warnings.warn("from Python", stacklevel=1)
        told = captured.tail()
    os.write(2, b"afterwards\n")
    assert told == "from below"
    assert capfd.readouterr().err == "afterwards\n"


def test_an_error_passes_through_and_stderr_comes_back(capfd):
    def fail() -> None:
        with capture_stderr():
            os.write(2, b"hidden\n")
            raise KeyError("cause")

    with pytest.raises(KeyError, match="cause"):
        fail()
    os.write(2, b"back\n")
    assert capfd.readouterr().err == "back\n"


def test_only_the_tail_of_long_output_is_kept():
    with capture_stderr() as captured:
        os.write(2, b"x" * 5000 + b"end\n")
        assert captured.tail().endswith("end")
        assert len(captured.tail()) < 2100
