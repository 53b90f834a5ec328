"""A picture of one path."""

from dataclasses import dataclass

from multimix.lab.config.checks import check, check_at_least_one, check_seed
from multimix.lab.config.mixing import Mixing


@dataclass(frozen=True, kw_only=True)
class PreviewSettings(Mixing):
    """A picture of one path.

    Args:
        method: Name of the mixing method.
        num_mixes: K, the mixes made of the pair.
        seed: The source of chance.
        out: The picture to write, .png, .jpg, .svg or .pdf.
    """

    image_a: str
    image_b: str
    method: str = "mixup"
    num_mixes: int = 5
    seed: int = 0
    out: str

    @property
    def mixes(self) -> int:
        """K as a number."""
        return self.num_mixes

    def __post_init__(self) -> None:
        from multimix.lab.mixing import mixer

        check_at_least_one("num_mixes", self.num_mixes)
        check_seed(self.seed)
        suffixes = (".png", ".jpg", ".svg", ".pdf")
        check(self.out.endswith(suffixes), f"out must end in {', '.join(suffixes)}", "try path.png", out=self.out)
        mixer(self, num_classes=2)
