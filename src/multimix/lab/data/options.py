"""The options that data sets have, and what they must be."""

from dataclasses import dataclass

from multimix.lab.core.checks import check

FORMS = ("spectrogram", "waveform")
MAX_SIZE, MAX_PADDING = 4096, 64  # pixels
MAX_SECONDS = 600


@dataclass(frozen=True, kw_only=True)
class GenericOptions:
    """What can be set where the files alone do not say it.

    Args:
        size: Side in pixels that images are cropped and scaled to; without it they must all have one size.
        padding: Pixels of padding from which training images of one size are cropped.
        flip: Whether to mirror half of the training images.
        form: What becomes of sound: "spectrogram" or "waveform".
        seconds: Length that sounds are cut or padded to.
        test_share: Share of the samples of each class to test on, where there are no splits.
    """

    size: int | None = None
    padding: int = 0
    flip: bool = True
    form: str = "spectrogram"
    seconds: float = 1.0
    test_share: float = 0.2

    def __post_init__(self) -> None:
        has_size = self.size is None or 1 <= self.size <= MAX_SIZE
        check(has_size, f"size must be an integer in 1..{MAX_SIZE}", "try 224", size=self.size)
        has_padding = 0 <= self.padding <= MAX_PADDING
        check(has_padding, f"padding must be an integer in 0..{MAX_PADDING}", "try 2", padding=self.padding)
        check_form(self.form)
        check(
            self.size is None or self.padding == 0,
            "padding is for images of one size, which are not cropped and scaled",
            "leave out padding or size",
            padding=self.padding,
            size=self.size,
        )
        check(
            0 < self.seconds <= MAX_SECONDS, f"seconds must be in (0, {MAX_SECONDS}]", "try 1.0", seconds=self.seconds
        )
        check(0 < self.test_share < 1, "test_share must be in (0, 1)", "try 0.2", test_share=self.test_share)


def check_form(form: str) -> None:
    """Refuse a form that sound does not come in."""
    check(form in FORMS, f"form must be one of {', '.join(FORMS)}", "choose one of them", form=form)
