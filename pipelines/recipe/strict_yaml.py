"""YAML without its traps: a repeated key is an error, 1e-3 is a number, and no text grows without bound."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from pipelines.errors import RecipeError

#: A recipe has some hundred values in five levels; aliases of aliases make millions of a few lines.
_MOST_VALUES = 10_000
_DEEPEST = 32
_LARGEST = 2**63 - 1


class _Loader(yaml.SafeLoader):
    """A loader that refuses repeated keys, and values without end."""

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self._depth = 0
        self._values: dict[yaml.Node, int] = {}

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """Count what a node holds once its aliases are carried out, before anything is made of it."""
        line, alias = self.peek_event().start_mark.line + 1, self.check_event(yaml.AliasEvent)
        self._depth += 1
        if self._depth > _DEEPEST:
            raise RecipeError(f"line {line}: nested more than {_DEEPEST} deep; a recipe never is")
        node = super().compose_node(parent, index)
        self._depth -= 1
        if alias and node not in self._values:
            raise RecipeError(
                f"line {line}: an alias (*name) stands within what it names; write the value out"
            )
        if node is not None and not alias:
            self._values[node] = self._count(node, line)
        return node

    def _count(self, node: yaml.Node, line: int) -> int:
        below = node.value if isinstance(node, yaml.CollectionNode) else ()
        # A mapping's value is a list of pairs.
        parts = [part for each in below for part in (each if isinstance(each, tuple) else (each,))]
        count = 1 + sum(self._values[part] for part in parts)
        if count > _MOST_VALUES:
            raise RecipeError(
                f"line {line}: more than {_MOST_VALUES:,} values once aliases (*name) are carried out; a recipe has "
                "some hundred at most"
            )
        return count

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str | float] = set()
        for key_node, _ in node.value:
            if key_node.tag == "tag:yaml.org,2002:merge":  # <<: *name
                continue
            key, line = self.construct_object(key_node, deep=True), key_node.start_mark.line + 1
            if not isinstance(key, str | int | float | bool):
                raise RecipeError(f"line {line}: expected a word as a key, received {key!r:.60}")
            if key in seen:
                raise RecipeError(
                    f"line {line}: the key {key!r} stands there twice; remove one of the two"
                )
            seen.add(key)
        return super().construct_mapping(node, deep=deep)

    def construct_yaml_int(self, node: yaml.ScalarNode) -> int:
        try:
            value = super().construct_yaml_int(node)
        except ValueError:
            value = None
        if value is None or not -_LARGEST <= value <= _LARGEST:
            line = node.start_mark.line + 1
            raise RecipeError(
                f"line {line}: expected a whole number of at most {_LARGEST:,}, received {node.value:.40}"
            )
        return int(value)


_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.construct_yaml_int)
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"[-+]?[0-9][0-9_]*(\.[0-9]*)?[eE][-+]?[0-9]+$"),
    list("-+0123456789"),
)


def parse_file(path: Path) -> Any:
    """Read a file of YAML.

    Raises:
        RecipeError: It cannot be read, is not UTF-8, or is not YAML that a recipe may hold.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise RecipeError(f"cannot read the recipe {path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise RecipeError(
            f"the recipe {path} is not text in UTF-8 (byte {error.start} is {error.object[error.start]:#04x}); save it "
            "in that encoding"
        ) from None
    return parse(text, f"recipe {path}")


def parse(text: str, what: str) -> Any:
    """Read YAML; a complaint about it names `what`.

    Raises:
        RecipeError: It is not YAML, or not YAML that a recipe may hold.
    """
    try:
        return yaml.load(text, Loader=_Loader)
    except RecipeError as error:
        raise RecipeError(f"{what}: {error}") from None
    except yaml.MarkedYAMLError as error:
        line = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        raise RecipeError(f"{what} is not valid YAML: {line}{error.problem}") from None
    except yaml.YAMLError as error:
        raise RecipeError(f"{what} is not valid YAML: {error}") from None
    except ValueError as error:  # A date such as 2020-13-45.
        raise RecipeError(f"{what} has a value that is none: {error}") from None


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


def written(tree: Mapping[str, Any], remark: str) -> str:
    """Return keys as YAML that reads back the same, under a comment.

    Example:
        >>> print(written({"name": "mine", "data": {"source": "photos"}}, "by hand"), end="")
        # by hand
        name: mine
        data: {source: photos}
    """
    comment = "".join(f"# {line}\n" for line in remark.splitlines())
    # Strings of digits and dates are quoted, so that they are read as text again.
    return comment + yaml.safe_dump(
        dict(tree), sort_keys=False, default_flow_style=None, allow_unicode=True, width=120
    )
