"""Settings from a file, checked like those of a command line."""

from collections.abc import Mapping
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from multimix.lab.core.errors import Damaged, UsageError
from multimix.lab.core.printable import printable

S = TypeVar("S")
MOST_SHOWN = 60  # characters of a wrong value


def stored_settings(kind: type[S], values: Mapping[str, Any]) -> S:
    """Return settings that a file holds; nothing is imported for them, and nothing opened.

    Raises:
        Damaged: if one is unknown, missing, of another type or not what it must be.
    """
    hints = get_type_hints(kind)
    for name, value in values.items():
        if name not in hints:
            raise Damaged(f"it holds the setting {printable(name)!r}, which this version does not know")
        if not fits(value, hints[name]):
            raise Damaged(f"its {name} is {printable(repr(value))[:MOST_SHOWN]}, which is of another type")
    try:
        return kind(**{name: tuple(value) if isinstance(value, list) else value for name, value in values.items()})
    except UsageError as error:
        raise Damaged(str(error)) from error
    except (TypeError, ValueError, ArithmeticError, LookupError, AttributeError, RecursionError) as error:
        raise Damaged(f"its settings cannot be used ({type(error).__name__}: {error})") from error


def fits(value: object, hint: Any) -> bool:
    """Whether a value that JSON knows is of a type; a list may stand for a tuple."""
    kind, inner = get_origin(hint), get_args(hint)
    if hint is Any:
        return True
    if kind in (Union, UnionType):
        return any(fits(value, one) for one in inner)
    if kind in (list, tuple):
        return isinstance(value, list | tuple) and all(fits(each, inner[0]) for each in value)
    if kind is dict:
        return isinstance(value, dict) and all(fits(each, inner[1]) for each in value.values())
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    return type(value) is (NoneType if hint is None else hint)
