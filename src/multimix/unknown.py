"""Settings that `MultiMix` does not have: say where they belong."""

from collections.abc import Iterable, Mapping
from dataclasses import fields

from multimix.methods import METHODS
from multimix.suggest import OTHER_NAMES, nearest

ELSEWHERE = {
    "label_smoothing": "give it to the loss: F.cross_entropy(logits, y_mix, label_smoothing={value!r})",
    "seed": "give calls a generator: mix(x, y, generator=torch.Generator().manual_seed({value!r}))",
    "model": "give it to calls: logits, y_mix = mix.run(model, x, y)",
    **dict.fromkeys(
        ("p", "prob"), "to mix a share of the batches: MultiMix(Choice([{method!r}, 'none'], weights=[p, 1 - p]), ...)"
    ),
}


def refuse_unknown(given: Mapping[str, object], method: object, known: Iterable[str]) -> None:
    """Refuse settings under names that are not known.

    Args:
        given: unknown names and what was given for them; empty where there is nothing to refuse.
        method: the method that was asked for, an object or its name.
        known: names of the settings.

    Raises:
        TypeError: naming the method whose option it is, or the setting that may have been meant.
    """
    for name, value in given.items():
        raise TypeError(
            f"settings must be known to MultiMix, got {name}={value!r}; {_remedy(name, value, method, known)}"
        )


def _remedy(name: str, value: object, method: object, known: Iterable[str]) -> str:
    asked = METHODS.get(method) if isinstance(method, str) else type(method)
    kinds = [kind for kind in METHODS.values() if name in {item.name for item in fields(kind)}]  # type: ignore[arg-type]
    if asked in kinds:
        return f"it is an option of the method: MultiMix({asked.__name__}({name}={value!r}), ...)"
    if kinds:
        return f"give it to a method that has it: {', '.join(kind.__name__ for kind in kinds)}"
    if name in ELSEWHERE:
        return ELSEWHERE[name].format(value=value, method=method)
    return f'did you mean "{OTHER_NAMES[name]}"?' if name in OTHER_NAMES else nearest(name, known)
