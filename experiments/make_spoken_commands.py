"""A set of spoken commands for trying things: espeak-ng says ten words in many voices, in Speech Commands' layout.

    python experiments/make_spoken_commands.py OUT        a minute on one core; 2,000 recordings, 66 MB
    multimix train --data speech-commands --data-root OUT --model lenet --steps 300 --learning-rate 0.02 --out RUN

A speaker is an accent, a timbre, a pitch and a speed, and says every word a few times, each time a little different. As
in the published set, speakers are either for training or for validation or for testing, and files are called
<speaker>_nohash_<number>.wav: 16-bit, 16 kHz, one second. The same seed and the same espeak-ng give the same bytes.
"""

import argparse
import io
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from scipy.signal import resample_poly

WORDS = ("down", "go", "left", "no", "off", "on", "right", "stop", "up", "yes")
ACCENTS = ("en-gb", "en-us", "en-029", "en-gb-scotland", "en-gb-x-rp", "en-gb-x-gbclan", "en-gb-x-gbcwmd")
TIMBRES = ("m1", "m2", "m3", "m4", "m5", "m6", "m7", "m8", "f1", "f2", "f3", "f4", "f5")
PITCHES, SPEEDS = (15, 85), (120, 220)  # in espeak-ng's units; words per minute
RATE = 16_000
SILENT = 200  # of 32768: what espeak-ng leaves before and after a word is quieter
SHARES = {"validation_list.txt": 0.1, "testing_list.txt": 0.1}  # of the speakers, as published


@dataclass(frozen=True)
class Speaker:
    """Who speaks: a name of eight hexadecimal digits, espeak-ng's voice, pitch, and speed in words per minute."""

    name: str
    voice: str
    pitch: int
    speed: int


def main() -> int:
    """Writes the set; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="folder to write, which must not be there or be empty")
    parser.add_argument("--speakers", type=int, default=100, help="default %(default)s, at least 10")
    parser.add_argument("--takes", type=int, default=2, help="times a speaker says a word (default %(default)s)")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    if mistake := mistake_in(options):
        print(f"make_spoken_commands: {mistake}", file=sys.stderr)
        return 2
    write(options.out, options.speakers, options.takes, options.seed)
    print(f"{options.out}: {len(WORDS)} words, {len(WORDS) * options.speakers * options.takes:,} recordings")
    return 0


def mistake_in(options: argparse.Namespace) -> str | None:
    """Returns why the set cannot be made, if it cannot."""
    if options.speakers < 10 or options.takes < 1 or options.seed < 0:
        return (
            f"speakers must be >= 10, takes >= 1 and seed >= 0, got speakers={options.speakers}, "
            f"takes={options.takes}, seed={options.seed}; leave them out"
        )
    if options.out.exists() and (not options.out.is_dir() or any(options.out.iterdir())):
        return f"out must be a new or an empty folder, got {options.out}; give another"
    if shutil.which("espeak-ng") is None:
        return "espeak-ng must be installed, got none on the PATH; apt-get install espeak-ng"
    return None


def write(out: Path, num_speakers: int, takes: int, seed: int) -> None:
    """Writes the recordings, the lists of the splits and a recording of noise."""
    rng = np.random.default_rng(seed)
    speakers = [drawn(rng) for _ in range(num_speakers)]
    for word in WORDS:
        (out / word).mkdir(parents=True)
        for speaker in speakers:
            for take in range(takes):
                sound = placed(spoken(word, speaker, rng), rng)
                soundfile.write(out / word / f"{speaker.name}_nohash_{take}.wav", sound, RATE, subtype="PCM_16")
    first = 0
    for name, share in SHARES.items():
        chosen = speakers[first : first + round(share * num_speakers)]
        first += len(chosen)
        files = sorted(f"{w}/{s.name}_nohash_{take}.wav" for w in WORDS for s in chosen for take in range(takes))
        (out / name).write_text("".join(f"{file}\n" for file in files))
    (out / "_background_noise_").mkdir()
    noise = rng.normal(0, 1000, 10 * RATE).astype(np.int16)
    soundfile.write(out / "_background_noise_" / "white_noise.wav", noise, RATE, subtype="PCM_16")


def drawn(rng: np.random.Generator) -> Speaker:
    """Draws a speaker."""
    voice = f"{rng.choice(ACCENTS)}+{rng.choice(TIMBRES)}"
    return Speaker(rng.bytes(4).hex(), voice, int(rng.integers(*PITCHES)), int(rng.integers(*SPEEDS)))


def spoken(word: str, speaker: Speaker, rng: np.random.Generator) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Returns a word as a speaker says it this time, without the silence around it."""
    pitch, speed = speaker.pitch + rng.integers(-5, 6), speaker.speed + rng.integers(-15, 16)
    command = ["espeak-ng", "--stdout", "-z", "-v", speaker.voice, "-p", str(pitch), "-s", str(speed), word]
    done = subprocess.run(command, capture_output=True, check=True)
    sound, rate = soundfile.read(io.BytesIO(done.stdout), dtype="int16")
    (loud,) = np.nonzero(np.abs(sound.astype(np.int32)) > SILENT)
    return np.asarray(resample_poly(sound[loud[0] : loud[-1] + 1].astype(np.float64), RATE, rate))


def placed(
    sound: np.ndarray[tuple[int], np.dtype[np.float64]], rng: np.random.Generator
) -> np.ndarray[tuple[int], np.dtype[np.int16]]:
    """Returns one second with the word somewhere in it, as loud as it happens to be."""
    out = np.zeros(RATE)
    sound = sound[:RATE]
    start = rng.integers(RATE - len(sound) + 1)
    out[start : start + len(sound)] = sound * rng.uniform(0.2, 1.0)
    return np.clip(out.round(), -32768, 32767).astype(np.int16)


if __name__ == "__main__":
    sys.exit(main())
