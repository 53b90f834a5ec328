"""Free Spoken Digit Dataset: 3,000 recordings of digits by six speakers, 8 kHz.

Jackson et al., github.com/Jakobovski/free-spoken-digit-dataset. Files are called <digit>_<speaker>_<n>.wav; those with
n < 5 are for testing, as its authors have it, so every speaker is on both sides.
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path

from multimix.lab.data.data_set import EncodedData
from multimix.lab.data.files import BadFiles, encoded_files, is_litter, labels_of
from multimix.lab.data.sets.published import Layout, PublishedSounds

NUM_TEST = 5  # recordings of each digit by each speaker
FILE = re.compile(r"([0-9])_([^_]+)_([0-9]+)\.wav")


@dataclass(frozen=True)
class Fsdd(PublishedSounds):
    """(N, 1, 81, 101) log-spectrograms or (N, 1, 8000) waveforms of 10 digits; cut or padded to one second."""

    name = "fsdd"
    layouts = (Layout(["recordings/"], ["fsdd", "free-spoken-digit-dataset", "free-spoken-digit-dataset-master"]),)
    hub = "no copy on the hub is known to have its split"
    num_train, num_classes = 2_700, 10
    rate, samples = 8_000, 8_000  # most recordings are shorter than half a second, the longest takes two

    def read(self, home: Path, bad_files: BadFiles) -> EncodedData:
        """List the recordings by their names."""
        folder = home / "recordings"
        names: dict[str, list[str]] = {"train": [], "test": []}
        for name in sorted(os.listdir(folder)):
            parts = FILE.fullmatch(name)
            if parts is not None:
                names["test" if int(parts[3]) < NUM_TEST else "train"].append(name)
            elif not is_litter(name):
                bad_files.add(folder / name, "its name is not <digit>_<speaker>_<number>.wav")
        digits = [str(digit) for digit in range(10)]
        splits = {
            part: encoded_files(folder, files, labels_of([name[0] for name in files], digits))
            for part, files in names.items()
        }
        return self.encoded(splits, digits)
