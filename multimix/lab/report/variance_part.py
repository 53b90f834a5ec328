"""The part of the page about gradient variance."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup


@dataclass(frozen=True)
class VariancePart:
    """What the page shows of one folder of multimix variance.

    Args:
        name: What it is called.
        sentences: What was found.
        pictures: Inline SVG; their colours follow the page's theme where they are those of curves.py.
    """

    name: str
    sentences: list[str]
    pictures: list[Markup]


# CONNECT HERE: folder of multimix variance -> (sentences, inline SVG pictures made with theme.as_svg).
# None: the page says that it cannot show them.
SHOW: Callable[[Path], tuple[list[str], list[str]]] | None = None


def variance_part(folder: Path) -> VariancePart:
    """Returns what to show of a folder."""
    if SHOW is None:
        return VariancePart(folder.resolve().name, ["This version has no picture of gradient variance."], [])
    sentences, pictures = SHOW(folder)
    return VariancePart(folder.resolve().name, sentences, [Markup(picture) for picture in pictures])
