"""Names of C and C++: a network's own, and those of its inputs and outputs."""

import re
from collections.abc import Iterable

from tflite_export.errors import PackError

DEFAULT_NAME = "elastic_model"
"""Not `model`: that is what most programs call their `const tflite::Model*`."""

_WORDS = """
    alignas alignof and asm auto bitand bitor bool break case catch char class compl concept const consteval
    constexpr constinit continue decltype default delete do double else enum explicit export extern false float for
    friend goto if inline int long mutable namespace new noexcept not nullptr operator or private protected public
    register requires restrict return short signed sizeof static struct switch template this throw true try typedef
    typeid typename union unsigned using virtual void volatile wchar_t while xor
"""
# Namespaces of the project, and names that its own sources declare beside the network's.
_TAKEN = frozenset({*_WORDS.split(), "main", "std", "tfelastic", "tflite"})


def check_name(name: str) -> str:
    """Return `name` where it can name a namespace, files and macros.

    Raises:
        PackError: It is no lower-case identifier, or means something else already.
    """
    if not re.fullmatch("[a-z][a-z0-9]*(_[a-z0-9]+)*", name) or name in _TAKEN:
        raise PackError(
            f"a network's name becomes a C++ namespace: expected lower-case letters, digits and single "
            f"underscores, and no word of the language, received {name!r}"
        )
    return name


def identifiers(names: Iterable[str]) -> list[str]:
    """Return an identifier for each name, none twice: `Serving:0` becomes `serving_0`."""
    found: list[str] = []
    for name in names:
        plain = re.sub("[^a-z0-9]+", "_", name.lower()).strip("_") or "tensor"
        plain = f"tensor_{plain}" if plain[0].isdigit() or plain in _TAKEN else plain
        different, number = plain, 2
        while different in found:
            different, number = f"{plain}_{number}", number + 1
        found.append(different)
    return found


def constant(identifier: str) -> str:
    """Return an identifier as constants are written: `left_eye` becomes `LeftEye`."""
    return "".join(word.capitalize() for word in identifier.split("_"))
