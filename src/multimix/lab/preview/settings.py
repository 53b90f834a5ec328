"""A picture of one path."""

from dataclasses import dataclass

from multimix.lab.core.checks import check, check_at_least_one, check_seed
from multimix.lab.train.recipe import OneMethod


@dataclass(frozen=True, kw_only=True)
class PreviewSettings(OneMethod):
    """A picture of one path between two pictures, sounds (.wav, .flac, .ogg) or series (.csv, .npy).

    Args:
        file_a: The first file: a picture, sound or series.
        file_b: The second, of the same kind.
        form: What is mixed of sounds, and shown: spectrogram (the default) or waveform.
        method: Name of the mixing method; or several with odds, mixup+cutmix:2, one of which is drawn.
        num_mixes: K, the mixes made of the pair.
        seed: The source of chance.
        out: The picture to write, .png, .jpg, .svg or .pdf.
    """

    file_a: str
    file_b: str
    form: str | None = None
    num_mixes: int = 5
    seed: int = 0
    out: str

    def __post_init__(self) -> None:
        from multimix.lab.data.options import check_form
        from multimix.lab.train.method_schedule import MethodSchedule, mixer

        check_at_least_one("num_mixes", self.num_mixes)
        check_seed(self.seed)
        suffixes = (".png", ".jpg", ".svg", ".pdf")
        check(self.out.endswith(suffixes), f"out must end in {', '.join(suffixes)}", "try path.png", out=self.out)
        one = len(MethodSchedule.parse(self.method).values) == 1
        check(one, "a preview shows one moment", "give the methods of one phase", method=self.method)
        if self.form is not None:
            check_form(self.form)
        mixer(self, num_classes=2, num_mixes=self.num_mixes)
