"""Speech Commands: 65,000 (version 0.01) or 106,000 (0.02) recordings of single words, one second at 16 kHz.

Warden, 2018, arXiv 1804.03209. One folder per word; validation_list.txt and testing_list.txt name the files that are
not for training. The recordings in _background_noise_ are no words and are not used.
"""

from dataclasses import dataclass
from pathlib import Path

import torch

from multimix.lab.data.audio import SUFFIXES, Sound
from multimix.lab.data.bad_files import BadFiles
from multimix.lab.data.class_folders import class_folders, class_names
from multimix.lab.data.decode import Encoded, check_not_empty, make_split
from multimix.lab.data.generic import sound_as
from multimix.lab.data.open_context import Layout, OpenContext
from multimix.lab.data.options import check_form
from multimix.lab.data.split import Data

RATE = 16_000
SAMPLES = 16_000
NOISE = "_background_noise_"
LISTS = {"validation": "validation_list.txt", "test": "testing_list.txt"}
LAYOUT = Layout(
    marks=tuple(LISTS.values()),
    homes=(
        "speech_commands_v0.02",
        "speech_commands_v0.01",
        "SpeechCommands/speech_commands_v0.02",
        "SpeechCommands/speech_commands_v0.01",
        "speech-commands",
        "speech_commands",
    ),
)


@dataclass(frozen=True)
class SpeechCommands:
    """(N, 1, 161, 101) log-spectrograms or (N, 1, 16000) waveforms of 30 or 35 words; shorter ones end in silence.

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
            raise opening.missing("speech-commands", [LAYOUT], "the hub's copy is a program, which is not run")
        words = [name for name in class_names(home) if name != NOISE]
        whole = class_folders(home, words, opening.bad_files, SUFFIXES, ignored=(NOISE,))
        split = _split_of(home, whole, opening.bad_files)
        reader, prepare = Sound(RATE, SAMPLES), sound_as(self.form, RATE)
        train, validation, test = (
            make_split(whole.subset((split == number).nonzero().flatten()), reader, prepare, opening)
            for number in range(3)
        )
        opening.bad_files.settle("speech-commands")
        check_not_empty("speech-commands", [("train on", len(train)), ("test on", len(test))])
        return Data(train, test, len(words), tuple(words), validation, opening.bad_files.found)


def _split_of(home: Path, whole: Encoded, bad_files: BadFiles) -> torch.Tensor:
    """Returns 0, 1 or 2 for each file: training, validation, testing; a listed file that is not there is bad."""
    listed: dict[str, int] = {}
    for number, name in enumerate(LISTS.values(), start=1):
        for file in bad_files.text_of(home / name).split():
            if listed.setdefault(file, number) != number:
                bad_files.add(home / file, "listed for validation and for testing")
    names = [str(Path(whole.blobs.name(index)).relative_to(home)) for index in range(len(whole.blobs))]
    for name in sorted(listed.keys() - set(names)):
        bad_files.add(home / name, "listed but missing")
    return torch.tensor([listed.get(name, 0) for name in names], dtype=torch.int64)
