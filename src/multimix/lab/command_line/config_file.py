"""A file of settings, looked at before it is used: is it one, within limits, and does each setting stand in it once?

A few lines of YAML can stand for more than memory holds, as aliases are followed.
"""

from collections.abc import Hashable
from pathlib import Path
from typing import Any, NoReturn

import yaml

from multimix.lab.core.errors import UsageError
from multimix.lab.core.regular_files import read_regular

MOST_BYTES = 1 << 20  # the longest file of this project has four thousand
MOST_NODES = 100_000  # with every alias counted as what it stands for
MOST_DEPTH = 32


def check_config(name: str) -> None:
    """Refuse what is no file of settings.

    Raises:
        UsageError: if it cannot be read, is no YAML, is too large or too deep, holds no settings, or one of them twice.
    """
    try:
        text = read_regular(Path(name).expanduser(), MOST_BYTES).decode("utf-8")
        _check_size(name, text)
        loader = _Loader(text)
        loader.file = name
        content = loader.get_single_data()
    except OSError as error:
        _refuse(name, f"reading it failed: {(error.strerror or str(error)).lower()}")
    except UnicodeDecodeError as error:
        _refuse(name, f"byte {error.start + 1} is no UTF-8 text; save it as UTF-8")
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" in line {mark.line + 1}" if mark else ""
        _refuse(name, f"{getattr(error, 'problem', None) or 'a character that YAML does not allow'}{where}; correct it")
    except RecursionError:
        _refuse(name, "it is nested too deeply")
    if not isinstance(content, dict):
        held = {type(None): "nothing", list: "a list"}.get(type(content), "a single value")
        _refuse(name, f"it holds {held}; write name: value, a line for each setting")
    if "config" in content:
        _refuse(name, "it names another one; give both on the command line")
    for flag in ("dry_run", "quiet", "log_level"):
        if flag in content:
            _refuse(
                name,
                f"it holds {flag}, which is no setting of a run; give --{flag.replace('_', '-')} on the command line",
            )


def _refuse(name: str, why: str) -> NoReturn:
    raise UsageError(f"config must be a YAML file of settings, got config={name!r}: {why}")


def _check_size(name: str, text: str) -> None:
    """Refuse a text that is nested too deeply, or grows too large when its aliases are followed."""
    sizes: dict[str, int] = {}  # of what each anchor stands for
    opened: list[tuple[str | None, int]] = []
    nodes = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in sizes:
                _refuse(name, f"its *{event.anchor} stands for itself, or for nothing")
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
        if len(opened) > MOST_DEPTH:
            _refuse(name, "it is nested too deeply")
        if nodes > MOST_NODES:
            _refuse(name, "its aliases stand for too much")


class _Loader(yaml.SafeLoader):
    """YAML would let the last of two equal keys win."""

    file = ""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        met = set()
        for key, _ in node.value:
            if key.value in met:
                raise UsageError(
                    f"a setting must stand once in a config, got {key.value} again in line {key.start_mark.line + 1} "
                    f"of {self.file}; remove one"
                )
            met.add(key.value if isinstance(key.value, str) else id(key))
        return super().construct_mapping(node, deep)
