"""Show text from elsewhere, such as file names, without letting it drive the terminal."""


def printable(text: str) -> str:
    r"""Return a text as one line, with what cannot be printed written as \x1b or \n.

    That is so for line breaks, terminal escapes, marks that change the direction of writing, and bytes of file names
    that are not UTF-8.
    """
    return "".join(mark if mark.isprintable() else mark.encode("unicode_escape").decode() for mark in text)
