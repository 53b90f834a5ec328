"""Named changes of a run's settings: which can be changed, and to what."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import fields
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from multimix.lab.core.checks import check, check_name
from multimix.lab.core.errors import UsageError
from multimix.lab.train.settings import TrainSettings
from multimix.lab.train.stored_settings import fits

# By the comparison's own settings.
GIVEN = {"data", "data_options", "method", "seed", "out", "epochs"}
WORDS = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text",
    list: "a list",
    tuple: "a list",
    dict: "values by name",
    type(None): "null",
}


def check_variants(variants: Mapping[str, Mapping[str, Any]], methods: Iterable[str]) -> None:
    """Refuse changes of settings that no run has, or to values of another type.

    Raises:
        UsageError: naming the variant and the setting.
    """
    from multimix.lab.train.method_schedule import check_option_names

    known = [item.name for item in fields(TrainSettings) if item.name not in GIVEN]
    hints = get_type_hints(TrainSettings)
    for name, changes in variants.items():
        plain = re.fullmatch(r"[A-Za-z][\w.-]*", str(name), re.ASCII) is not None
        check(plain, "a variant's name must be letters, digits, dots and dashes", "try iid", variants=name)
        check(bool(changes), "a variant must change a setting", "add one or drop it", variants={name: changes})
        for setting, value in changes.items():
            check_name("variants", str(setting), known)
            _check_value(name, setting, value, hints[setting])
        check_option_names(changes.get("method_options", {}), methods)


def _check_value(variant: str, setting: str, value: object, hint: Any) -> None:
    if not fits(value, hint):
        raise UsageError(
            f"{setting} of variant {variant} must be {_in_words(hint)}, got {setting}={value!r}; correct it in variants"
        )


def _in_words(hint: Any) -> str:
    kinds = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    return " or ".join(dict.fromkeys(WORDS[get_origin(kind) or kind] for kind in kinds))
