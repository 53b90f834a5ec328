"""What the options of data sets must be."""

from multimix.lab.core.checks import check


def check_padding(padding: int) -> None:
    """Refuse a padding that no image could be cropped from."""
    check(0 <= padding <= 64, "padding must be an integer in 0..64", "try 2", padding=padding)


def check_size(size: int) -> None:
    """Refuse a size that no image could be scaled to."""
    check(1 <= size <= 4096, "size must be an integer in 1..4096", "try 224", size=size)


def check_form(form: str) -> None:
    """Refuse a form that sound does not come in."""
    forms = ("spectrogram", "waveform")
    check(form in forms, f"form must be one of {', '.join(forms)}", "choose one of them", form=form)
