"""The path between two samples of a comparison's own data, method by method, as pictures inside the page."""

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib
import numpy as np
import torch
from PIL import Image
from torch import Tensor

from multimix.lab.compare.rows import Row
from multimix.lab.core.errors import UsageError
from multimix.lab.core.printable import printable as shown_text
from multimix.lab.data import Split, data_options_for, open_data
from multimix.lab.data.files import hub
from multimix.lab.preview.path import make_path
from multimix.lab.preview.puzzle_tiles import in_place_of_a_model
from multimix.lab.preview.settings import PreviewSettings
from multimix.lab.train.method_schedule import MethodSchedule, mixer, options_for
from multimix.methods import METHODS

NUM_MIXES = 9
SEED = 0
MAX_SIDE = 128  # pixels; larger pictures are made smaller, so that the page stays light
INSIDE = "manifold"
CHANNELS = (1, 3)
IN_NO_FILE = ("digits", "synthetic")


@dataclass(frozen=True)
class Frame:
    """A picture on the path.

    Args:
        source: The picture as a data URI.
        label: What is in it.
    """

    source: str
    label: str


@dataclass(frozen=True)
class MixPath:
    """A method's path.

    Args:
        title: The method.
        frames: From x to its partner, both included.
    """

    title: str
    frames: list[Frame]


@dataclass(frozen=True)
class Samples:
    """Of which data sets a page may show samples: those that the user named, and those that lie in no file.

    What a comparison's folder or a results file says is not enough: it may be a stranger's, and would decide which
    pictures of this machine come into the page.

    Args:
        data: Their names, as the comparison has them.
        data_root: Folder of local copies.
    """

    data: Sequence[str] = ()
    data_root: str | None = None

    def of(self, name: str, options: Mapping[str, Any]) -> Split:
        """Open a data set and returns its test split.

        Raises:
            UsageError, OSError: if it may not be opened, or cannot.
        """
        if name not in (*IN_NO_FILE, *self.data):
            raise UsageError(f"samples of {name} are shown only if it is asked for: multimix report --samples {name}")
        given = data_options_for(name, options) if name in self.data else {}
        with hub.offline():  # a page is no reason to download a data set
            return open_data(name, given, root=self.data_root if name in self.data else None).test


@dataclass(frozen=True)
class Previews:
    """What the page shows of the methods' paths.

    Args:
        paths: One for each method that mixes what can be seen.
        notes: What is missing, and why.
    """

    paths: list[MixPath]
    notes: list[str]


def previews(rows: Sequence[Row], settings: Mapping[str, Any], samples: Samples) -> Previews:
    """Return the paths of all methods of a table.

    Args:
        rows: The table's rows, of one data set.
        settings: The comparison's settings.
        samples: Of which data samples may be shown.
    """
    kinds = {(row.method, row.alpha): None for row in rows if row.method != "none"}
    inside = [f"{INSIDE} mixes inside the model: its mixes are no pictures."] if any(INSIDE in k for k in kinds) else []
    drawn = [method for method in dict.fromkeys(kind[0] for kind in kinds) if not MethodSchedule.parse(method).is_one]
    inside += [f"{method} mixes by one method at a time: their paths are those of these methods." for method in drawn]
    shown = [kind for kind in kinds if kind[0] not in (INSIDE, *drawn)]
    if not shown:
        return Previews([], inside or ["Nothing is mixed."])
    try:
        split = samples.of(rows[0].data or settings["data"][0], settings.get("data_options", {}))
    except (UsageError, OSError) as error:
        return Previews([], [f"No path is shown, as the data cannot be opened here: {shown_text(str(error))}."])
    x = _two_samples(split)
    if x.ndim != 4 or x.shape[1] not in CHANNELS or (split.pixels is None and x.shape[1] != 1):
        return Previews([], ["No path is shown: the samples are no pictures."])
    kinds_of_picture = ["Spectrograms, low frequencies at the bottom."] if split.pixels is None else []
    contrast = any(method in METHODS and METHODS[method].asks_model for method, _ in shown)
    saliency = ["Saliency is local contrast here: in training it is the gradient of the model's loss."] * contrast
    try:
        paths = [MixPath(_title(*kind), _frames(*kind, x, split, settings)) for kind in shown]
    except (UsageError, ValueError, TypeError, KeyError, RuntimeError) as error:  # settings from a file may not fit
        return Previews([], [f"No path is shown, as the methods cannot be tried here: {shown_text(str(error))}."])
    return Previews(paths, [*kinds_of_picture, *saliency, *inside])


def _two_samples(split: Split) -> Tensor:
    """Return the first sample and the first of another class, (2, ...), as the model gets them."""
    other = int((split.labels != split.labels[0]).nonzero()[0])
    return next(split.subset(torch.tensor([0, other])).chunks(2))[0]


def _title(method: str, alpha: float | None) -> str:
    return method if alpha is None else f"{method}, α = {alpha:g}"


def _frames(method: str, alpha: float | None, x: Tensor, split: Split, settings: Mapping[str, Any]) -> list[Frame]:
    path, weights = _path(method, alpha, x, settings)
    path = (path - x.min()) / (x.max() - x.min()) if split.pixels is None else split.pixels.of(path)
    labels = (f"{weight:.2f} x + {1 - weight:.2f} x′" for weight in weights)
    pictures = zip(path.permute(0, 2, 3, 1).numpy(), labels, strict=True)
    return [Frame(_as_uri(picture, is_sound=split.pixels is None), label) for picture, label in pictures]


def _path(method: str, alpha: float | None, x: Tensor, settings: Mapping[str, Any]) -> tuple[Tensor, list[float]]:
    """Return x, its mixes and its partner, and the share of x in each label."""
    options = options_for(method, settings["method_options"]) | ({} if alpha is None else {"alpha": alpha})
    mix = mixer(
        PreviewSettings(
            file_a="",
            file_b="",
            out=".png",
            method=method,
            method_options=options,
            num_mixes=NUM_MIXES,
            sampling=settings["sampling"],
            share=settings["share"],
        ),
        num_classes=2,
        num_mixes=NUM_MIXES,
    )
    path = make_path(mix, x, in_place_of_a_model(mix, x), torch.Generator().manual_seed(SEED))
    return path.samples, path.weights


def _as_uri(picture: np.ndarray[Any, Any], is_sound: bool) -> str:
    """Return an (H, W, channels) picture as a PNG in a data URI."""
    if is_sound:
        picture = matplotlib.colormaps["viridis"](picture[::-1, :, 0])[..., :3]
    bytes_ = np.rint(picture * 255).clip(0, 255).astype(np.uint8)
    image = Image.fromarray(bytes_[..., 0] if bytes_.shape[2] == 1 else bytes_)
    image.thumbnail((MAX_SIDE, MAX_SIDE))
    file = io.BytesIO()
    image.save(file, format="png", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"
