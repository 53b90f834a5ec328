"""Two files read as a pair of samples that can be mixed."""

from pathlib import Path

from multimix.lab.core.errors import UsageError
from multimix.lab.preview import pictures, series, sounds
from multimix.lab.preview.pair import Pair
from multimix.lab.preview.settings import PreviewSettings


def read_pair(settings: PreviewSettings) -> Pair:
    """Reads both files.

    Raises:
        UsageError: if one cannot be read, they are of different kinds, or a setting is for another kind.
    """
    first, second = Path(settings.file_a), Path(settings.file_b)
    kinds = dict.fromkeys(sounds.SUFFIXES, sounds.read) | dict.fromkeys(series.SUFFIXES, series.read)
    readers = [kinds.get(path.suffix.lower(), pictures.read) for path in (first, second)]
    if readers[0] is not readers[1]:
        raise UsageError(
            f"both files must be pictures, sounds or series, got {settings.file_a!r}, {settings.file_b!r}; give two of "
            "a kind"
        )
    if settings.form is not None and readers[0] is not sounds.read:
        raise UsageError(f"form is for sounds, got form={settings.form!r} for {settings.file_a!r}; leave it out")
    return readers[0](first, second, settings.form)
