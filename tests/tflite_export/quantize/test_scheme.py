import dataclasses

import pytest

from tflite_export.errors import SchemeError
from tflite_export.quantize.scheme import SCHEMES, Tolerance, get_scheme


def test_the_registry_files_each_scheme_under_its_own_name():
    assert set(SCHEMES) == {"float32", "float16", "dynamic", "int8", "int16x8", "int8-qat"}
    assert all(get_scheme(name).name == name for name in SCHEMES)


def test_no_scheme_lets_tensorflow_operators_in():
    assert not any("SELECT" in ops for scheme in SCHEMES.values() for ops in scheme.ops)


def test_an_unknown_name_is_told_with_the_nearest_and_all_known_ones():
    with pytest.raises(SchemeError, match=r"'int88' \(did you mean 'int8'\?\); known: float32, "):
        get_scheme("int88")


def test_a_tolerance_comes_back_from_json():
    tolerance = Tolerance(mean_difference=0.1, max_difference=0.5, top1_agreement=0.9)
    assert Tolerance.from_json(tolerance.to_json()) == tolerance


@pytest.mark.parametrize(
    "change", [{"max_difference": -1.0}, {"mean_difference": float("nan")}, {"top1_agreement": 1.5}]
)
def test_an_impossible_tolerance_is_refused(change):
    with pytest.raises(SchemeError, match=next(iter(change))):
        dataclasses.replace(SCHEMES["int8"].tolerance, **change)
