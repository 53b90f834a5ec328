"""How pairs are mixed."""

from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Mixing:
    """How pairs are mixed, whatever the method.

    Args:
        method_options: Options of the mixing method, by name, e.g. --method-options.alpha 0.2
        sampling: How the K coefficients of a pair are drawn: stratified or iid.
        share: Who has coefficients and geometry of its own: each pair, or only the batch.
        partners: The partner of a sample: the same for all its K mixes, or a fresh one per mix.
    """

    method_options: dict[str, bool | int | float | str | list[str]] = field(default_factory=dict)
    sampling: str = "stratified"
    share: str = "pair"
    partners: str = "same"
