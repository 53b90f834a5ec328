"""Text: half a word is none, so sentences are mixed as vectors, with a mask that says where each has words.

    pip download --no-deps --no-binary :all: vaderSentiment==3.3.2    # 2.5 MB; ships 10,605 rated sentences
    python examples/text.py vaderSentiment-3.3.2.tar.gz

Is a sentence of a film review rated above or below zero? Sentences of unequal length are padded. A small transformer
gets them from its embedding with one more channel, 1 where there is a word: mixing at the layer "encoder" mixes that
channel along, and attention looks wherever either sentence has a word. The bag of embeddings is mixed at "head", where
a sentence is one vector. A fifth of the sentences is tested on. Twelve minutes on one core.
"""

import argparse
import io
import re
import tarfile
from collections import Counter
from pathlib import Path

import torch
import torch.nn.functional as F
from harness import Split, Task, error_percent, run
from torch import Tensor, nn

from multimix import ManifoldMixup, MultiMix

OUTER = "vaderSentiment-3.3.2/additional_resources/hutto_ICWSM_2014.tar.gz"
INNER = "hutto_ICWSM_2014/movieReviewSnippets_GroundTruth.txt"
WORDS, LENGTH, WIDTH = 4000, 40, 48
PADDING, UNKNOWN = 0, 1


def read(file: Path) -> tuple[list[list[str]], Tensor]:
    """Returns the words of each sentence, and whether it is rated above zero."""
    with tarfile.open(file) as outer:
        packed = outer.extractfile(OUTER)
        assert packed is not None
        with tarfile.open(fileobj=io.BytesIO(packed.read())) as inner:
            found = inner.extractfile(INNER)
            assert found is not None
            lines = found.read().decode("latin-1").splitlines()
    rated = [line.split("\t") for line in lines]
    sentences = [re.findall(r"[a-z']+|[!?]", text.lower())[:LENGTH] for _, _, text in rated]
    return sentences, torch.tensor([float(rating) > 0 for _, rating, _ in rated]).long()


def as_numbers(sentences: list[list[str]], known: dict[str, int]) -> Tensor:
    """Returns (N, LENGTH) numbers of words."""
    rows = [[known.get(word, UNKNOWN) for word in words] for words in sentences]
    return torch.tensor([row + [PADDING] * (LENGTH - len(row)) for row in rows])


class Embedding(nn.Module):
    """Words and places as vectors, (B, LENGTH, WIDTH + 1); the last channel is 1 where there is a word."""

    def __init__(self) -> None:
        super().__init__()
        self.word = nn.Embedding(WORDS, WIDTH, padding_idx=PADDING)
        self.place = nn.Parameter(0.02 * torch.randn(LENGTH, WIDTH))

    def forward(self, words: Tensor) -> Tensor:
        """Returns them."""
        there = (words != PADDING).float()[:, :, None]
        return torch.cat([(self.word(words) + self.place) * there, there], dim=2)


class Encoder(nn.Module):
    """A transformer layer that looks where either sentence of a pair has a word; means over these places."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.TransformerEncoderLayer(WIDTH, 4, 2 * WIDTH, dropout=0.2, batch_first=True)

    def forward(self, features: Tensor) -> Tensor:
        """Returns (B, WIDTH)."""
        x, share = features[:, :, :WIDTH], features[:, :, WIDTH:]
        x = self.layer(x, src_key_padding_mask=share[:, :, 0] == 0)
        mean: Tensor = (x * share).sum(1) / share.sum(1)
        return mean


class Transformer(nn.Module):
    """Mix at "encoder" or "head"."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.encoder, self.head = Embedding(), Encoder(), nn.Linear(WIDTH, 2)

    def forward(self, words: Tensor) -> Tensor:
        """Returns the logits."""
        logits: Tensor = self.head(self.encoder(self.embed(words)))
        return logits


class Bag(nn.Module):
    """The mean of a sentence's words; mix at "head"."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.EmbeddingBag(WORDS, WIDTH, padding_idx=PADDING)
        self.head = nn.Sequential(nn.Dropout(0.2), nn.Linear(WIDTH, WIDTH), nn.ReLU(), nn.Linear(WIDTH, 2))

    def forward(self, words: Tensor) -> Tensor:
        """Returns the logits."""
        logits: Tensor = self.head(self.words(words))
        return logits


def tasks(asked: argparse.Namespace) -> list[Task]:
    """Returns both tasks."""
    if not asked.file.is_file():
        raise SystemExit(
            f"file must be vaderSentiment's source, got none at {asked.file}; see --help for how to get it"
        )
    sentences, y = read(asked.file)
    some = [i for i, words in enumerate(sentences) if words]
    sentences, y = [sentences[i] for i in some], y[some]
    test = torch.arange(len(y)) % 5 == 0
    counts = Counter(word for words, out in zip(sentences, test.tolist(), strict=True) if not out for word in words)
    known = {word: number for number, (word, _) in enumerate(counts.most_common(WORDS - 2), start=2)}
    x = as_numbers(sentences, known)
    train, held_out = Split(x[~test], y[~test]), Split(x[test], y[test])

    def mixer(layer: str, k: int) -> MultiMix:
        return MultiMix(ManifoldMixup(layers=[layer], alpha=1.0), num_mixes=k, num_classes=2)

    common = {"loss": F.cross_entropy, "score": error_percent, "score_name": "error, %"}
    return [
        Task("bag of words", train, held_out, Bag, {"at the head": lambda k: mixer("head", k)}, steps=800, **common),
        Task(
            "transformer",
            train,
            held_out,
            Transformer,
            {"at the words": lambda k: mixer("encoder", k), "at the head": lambda k: mixer("head", k)},
            steps=400,
            **common,
        ),
    ]


def options(parser: argparse.ArgumentParser) -> None:
    """Adds what this example needs to be told."""
    parser.add_argument("file", type=Path)


if __name__ == "__main__":
    run(tasks, "text", __doc__, options)
