"""Unknown names: refuse them, and name the nearest known one."""

import difflib
from collections.abc import Iterable

OTHER_NAMES = {"K": "num_mixes", "k": "num_mixes"}  # what papers call a setting


def nearest(name: object, known: Iterable[str], listed: bool = False) -> str:
    """`'did you mean "x"?'`, or the known names, unless the message has listed them before."""
    names = list(known)
    close = difflib.get_close_matches(str(name), names, n=1)
    if close:
        return f'did you mean "{close[0]}"?'
    return "choose one of these" if listed else "choose one of " + ", ".join(f'"{n}"' for n in names)


def check_option(option: str, value: object, known: Iterable[str]) -> None:
    """Refuse a value that is not among the known ones.

    Raises:
        ValueError: naming the nearest known value.
    """
    names = tuple(known)
    if not isinstance(value, str) or value not in names:
        raise ValueError(
            f"{option} must be one of {', '.join(names)}, got {option}={value!r}; {nearest(value, names, listed=True)}"
        )
