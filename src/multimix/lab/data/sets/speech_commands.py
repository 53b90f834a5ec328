"""Speech Commands: 65,000 (version 0.01) or 106,000 (0.02) recordings of single words, one second at 16 kHz.

Warden, 2018, arXiv 1804.03209. One folder per word; validation_list.txt and testing_list.txt name the files that are
not for training. The recordings in _background_noise_ are no words and are not used.
"""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from multimix.lab.data.data_set import EncodedData
from multimix.lab.data.files import BadFiles, Encoded, class_folders, class_names
from multimix.lab.data.files.audio import SUFFIXES
from multimix.lab.data.sets.published import Layout, PublishedSounds

NOISE = "_background_noise_"
LISTS = ("validation_list.txt", "testing_list.txt")
PARTS = ("train", "validation", "test")
VERSIONS = ("speech_commands_v0.02", "speech_commands_v0.01")


@dataclass(frozen=True)
class SpeechCommands(PublishedSounds):
    """(N, 1, 161, 101) log-spectrograms or (N, 1, 16000) waveforms of 30 or 35 words; shorter ones end in silence."""

    name = "speech-commands"
    layouts = (
        Layout(
            LISTS, (*VERSIONS, *(f"SpeechCommands/{name}" for name in VERSIONS), "speech-commands", "speech_commands")
        ),
    )
    hub = "the hub's copy is a program, which is not run"
    num_train, num_classes = 84_843, 35  # of version 0.02
    rate, samples = 16_000, 16_000

    def read(self, home: Path, bad_files: BadFiles) -> EncodedData:
        """List the words' folders."""
        words = [name for name in class_names(home) if name != NOISE]
        whole = class_folders(home, words, bad_files, SUFFIXES, ignored=(NOISE,))
        part_of = _parts(home, whole, bad_files)
        return self.encoded(
            {part: whole.subset((part_of == number).nonzero().flatten()) for number, part in enumerate(PARTS)}, words
        )


def _parts(home: Path, whole: Encoded, bad_files: BadFiles) -> Tensor:
    """Return 0, 1 or 2 for each file: training, validation, testing; a listed file that is not there is bad."""
    listed: dict[str, int] = {}
    for number, name in enumerate(LISTS, start=1):
        for file in bad_files.text_of(home / name).split():
            if listed.setdefault(file, number) != number:
                bad_files.add(home / file, "listed for validation and for testing")
    names = [str(Path(whole.blobs.name(index)).relative_to(home)) for index in range(len(whole))]
    for name in sorted(listed.keys() - set(names)):
        bad_files.add(home / name, "listed but missing")
    return torch.tensor([listed.get(name, 0) for name in names], dtype=torch.int64)
