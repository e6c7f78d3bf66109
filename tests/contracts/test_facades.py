"""Every facade offers exactly the names in its `__all__`, each documented."""

import importlib
import inspect
import typing
from types import ModuleType

import pytest
import tfelastic_runtime

import tfelastic
import tflite_export

FACADES = (tfelastic, tflite_export, tfelastic_runtime)


@pytest.mark.parametrize("facade", FACADES, ids=lambda facade: facade.__name__)
def test_all_is_complete(facade: ModuleType) -> None:
    names = {name for name, value in vars(facade).items() if not name.startswith("_")}
    modules = {name for name in names if inspect.ismodule(getattr(facade, name))}
    # A facade that loads its rooms on demand defers what it offers, and imports what types need.
    assert names - modules - set(typing.__all__) <= set(facade.__all__)
    assert all(hasattr(facade, name) for name in facade.__all__)
    assert len(facade.__all__) == len(set(facade.__all__))


@pytest.mark.parametrize("facade", FACADES, ids=lambda facade: facade.__name__)
def test_every_name_is_documented(facade: ModuleType) -> None:
    for name in facade.__all__:
        assert inspect.getdoc(getattr(facade, name)), name


@pytest.mark.parametrize("facade", FACADES, ids=lambda facade: facade.__name__)
def test_every_error_that_users_meet_is_offered(facade: ModuleType) -> None:
    errors = importlib.import_module(f"{facade.__name__}.errors")
    kinds = {name for name, kind in vars(errors).items() if inspect.isclass(kind)}
    own = {name for name in kinds if getattr(errors, name).__module__ == errors.__name__}
    assert "errors" in facade.__all__ or own <= set(facade.__all__)
