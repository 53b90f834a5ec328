"""Text from elsewhere, made harmless before it is shown: names of folders, data and models, what files hold."""

MOST = 4000  # characters of one text; a message is shorter


def printable(text: str) -> str:
    r"""Return a text as one line without control characters: what cannot be printed is written as \x1b or \n.

    That is so for line breaks, sequences that drive a terminal, marks that turn the direction of writing, and bytes of
    file names that are no UTF-8.
    """
    cut = text if len(text) <= MOST else f"{text[:MOST]} …"
    return _escaped(cut)


def printable_lines(text: str) -> str:
    """Return a text that may have several lines, each as `printable` has it."""
    return "\n".join(map(_escaped, text.split("\n")))


def printable_inside(value: object) -> object:
    """Return JSON with every text in it, names too, as `printable` has it."""
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, dict):
        return {printable(str(name)): printable_inside(inner) for name, inner in value.items()}
    return [printable_inside(inner) for inner in value] if isinstance(value, list | tuple) else value


def _escaped(line: str) -> str:
    if line.isprintable():
        return line
    return "".join(mark if mark.isprintable() else mark.encode("unicode_escape").decode() for mark in line)
