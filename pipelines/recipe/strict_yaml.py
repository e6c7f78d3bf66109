"""YAML without its traps: a repeated key is an error, and 1e-3 is a number."""

import re
from collections.abc import Mapping
from typing import Any

import yaml

from pipelines.errors import RecipeError


class _Loader(yaml.SafeLoader):
    """A loader that refuses repeated keys."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if key in seen:
                line = key_node.start_mark.line + 1
                raise RecipeError(
                    f"line {line}: the key {key!r} stands there twice; remove one of the two"
                )
            seen.add(key)
        return super().construct_mapping(node, deep=deep)


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"[-+]?[0-9][0-9_]*(\.[0-9]*)?[eE][-+]?[0-9]+$"),
    list("-+0123456789"),
)


def parse(text: str, what: str) -> Any:
    """Read YAML; a complaint about it names `what`."""
    try:
        return yaml.load(text, Loader=_Loader)
    except RecipeError as error:
        raise RecipeError(f"{what}: {error}") from None
    except yaml.YAMLError as error:
        raise RecipeError(f"{what} is not valid YAML: {error}") from None


def override(tree: dict[str, Any], assignment: str) -> None:
    """Put the value of one `a.b=value` into the tree; the strict reading then says whether the key exists."""
    place, equals, text = assignment.partition("=")
    keys = place.split(".")
    if not equals or not all(keys):
        raise RecipeError(f"--set {assignment}: expected key=value, such as baseline.epochs=3")
    for depth, key in enumerate(keys[:-1]):
        tree = tree.setdefault(key, {})
        if not isinstance(tree, dict):
            raise RecipeError(
                f"--set {assignment}: {'.'.join(keys[: depth + 1])} holds a value, not keys"
            )
    tree[keys[-1]] = parse(text, f"--set {assignment}")


def merged(tree: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return a tree with the values of `changes` in place of its own, however deep they lie."""
    result = dict(tree)
    for key, value in changes.items():
        below = result.get(key)
        if isinstance(below, Mapping) and isinstance(value, Mapping):
            value = merged(below, value)
        result[key] = value
    return result
