"""Free Spoken Digit Dataset: 3,000 recordings of digits by six speakers, 8 kHz.

Jackson et al., github.com/Jakobovski/free-spoken-digit-dataset. Files are called <digit>_<speaker>_<n>.wav; those with
n < 5 are for testing, as its authors have it, so every speaker is on both sides.
"""

import re
from dataclasses import dataclass

import torch

from multimix.lab.data.audio import Sound
from multimix.lab.data.blobs import FolderBlobs
from multimix.lab.data.class_folders import is_litter
from multimix.lab.data.decode import Encoded, check_not_empty, make_split
from multimix.lab.data.generic import sound_as
from multimix.lab.data.names import Names
from multimix.lab.data.open_context import Layout, OpenContext
from multimix.lab.data.options import check_form
from multimix.lab.data.split import Data

RATE = 8_000
SAMPLES = 8_000  # most recordings are shorter than half a second, the longest takes two
NUM_TEST = 5  # recordings of each digit by each speaker
FILE = re.compile(r"([0-9])_([^_]+)_([0-9]+)\.wav")
LAYOUT = Layout(("recordings/",), ("fsdd", "free-spoken-digit-dataset", "free-spoken-digit-dataset-master"))


@dataclass(frozen=True)
class Fsdd:
    """(N, 1, 81, 101) log-spectrograms or (N, 1, 8000) waveforms of 10 digits; cut or padded to one second.

    Args:
        form: "spectrogram" or "waveform".
    """

    form: str = "spectrogram"

    def __post_init__(self) -> None:
        check_form(self.form)

    def load(self, opening: OpenContext) -> Data:
        """Reads a local copy."""
        home = opening.find(LAYOUT)
        if home is None:
            raise opening.missing("fsdd", [LAYOUT], "no copy on the hub is known to have its split")
        files: dict[bool, list[tuple[str, int]]] = {False: [], True: []}
        for file in sorted((home / "recordings").iterdir()):
            parts = FILE.fullmatch(file.name)
            if parts is not None:
                files[int(parts[3]) < NUM_TEST].append((file.name, int(parts[1])))
            elif not is_litter(file.name):
                opening.bad_files.add(file, "its name is not <digit>_<speaker>_<number>.wav")
        reader, prepare = Sound(RATE, SAMPLES), sound_as(self.form, RATE)
        train, test = (
            make_split(
                Encoded(
                    FolderBlobs(home / "recordings", Names(name for name, _ in files[is_test])),
                    torch.tensor([digit for _, digit in files[is_test]], dtype=torch.int64),
                ),
                reader,
                prepare,
                opening,
            )
            for is_test in (False, True)
        )
        opening.bad_files.settle("fsdd")
        check_not_empty("fsdd", [("train on", len(train)), ("test on", len(test))])
        return Data(train, test, 10, tuple(map(str, range(10))), skipped=opening.bad_files.found)
