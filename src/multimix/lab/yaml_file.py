"""YAML that may be a stranger's: looked at before it is built, as a few lines can stand for more than memory holds."""

from pathlib import Path

import yaml

from multimix.lab.errors import Damaged

MOST_BYTES = 1 << 20
MOST_NODES = 100_000  # with every alias counted as what it stands for
MOST_DEPTH = 32


def check_yaml_file(path: Path) -> None:
    """Refuses a file that is too large, too deep, or grows too large when its aliases are followed.

    Raises:
        Damaged: saying which. What is no YAML at all is left to the parser.
    """
    with path.open("rb") as file:
        content = file.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise Damaged(f"it is larger than {MOST_BYTES:,} bytes")
    try:
        _check(content.decode())
    except yaml.YAMLError:
        return
    except UnicodeDecodeError as error:
        raise Damaged(f"it is no UTF-8 ({error})") from error


def _check(text: str) -> None:
    sizes: dict[str, int] = {}  # of what each anchor stands for
    opened: list[tuple[str | None, int]] = []
    nodes = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in sizes:
                raise Damaged(f"its *{event.anchor} stands for itself, or for nothing")
            nodes += sizes[event.anchor]
        elif isinstance(event, yaml.NodeEvent):
            nodes += 1
        if isinstance(event, yaml.CollectionStartEvent):
            opened.append((event.anchor, nodes))
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, before = opened.pop()
            sizes |= {anchor: nodes - before + 1} if anchor else {}
        elif isinstance(event, yaml.ScalarEvent) and event.anchor:
            sizes[event.anchor] = 1
        if nodes > MOST_NODES or len(opened) > MOST_DEPTH:
            raise Damaged("it is nested too deeply" if len(opened) > MOST_DEPTH else "its aliases stand for too much")
