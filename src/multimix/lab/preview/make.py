"""From settings to a picture in a file."""

import io
from pathlib import Path

import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from torch import Tensor

from multimix.lab.core.atomic_files import write_atomic
from multimix.lab.core.errors import UsageError
from multimix.lab.core.progress_bar import Advance
from multimix.lab.core.randomness import seed_of
from multimix.lab.preview import pictures, series, sounds
from multimix.lab.preview.lines import draw_lines
from multimix.lab.preview.pair import Pair
from multimix.lab.preview.path import Path as MixPath
from multimix.lab.preview.path import make_path
from multimix.lab.preview.puzzle_tiles import Blocks, in_place_of_a_model, puzzle_tiles
from multimix.lab.preview.settings import PreviewSettings
from multimix.lab.preview.tiles import Tile, draw_tiles
from multimix.lab.train.method_schedule import mixer

DPI = 150
MAX_COLUMNS = 9


def preview(settings: PreviewSettings, advance: Advance = lambda what, share: None) -> list[str]:
    """Write the picture.

    Args:
        settings: What to show.
        advance: Told what is being done, and which share of the whole has just been done.

    Returns:
        What the user should know: the label weights of each mix, and what was done to make the two files alike.

    Raises:
        UsageError: if a file cannot be read, or the method mixes inside a model, or cannot mix such samples.
    """
    advance("reading", 0)
    pair = read_pair(settings)
    advance("mixing", 0.1)
    mix = mixer(settings, num_classes=2, num_mixes=settings.num_mixes)
    if any(method.inside for method in mix.method.options):
        raise UsageError(
            f"a preview has no model to mix inside of, got method={settings.method!r}; choose another method"
        )
    saliency = in_place_of_a_model(mix, pair.x)
    try:
        path = make_path(mix, pair.x, saliency, torch.Generator().manual_seed(seed_of(settings.seed, "mix")))
    except (TypeError, ValueError) as error:
        raise UsageError(
            f"a preview has two samples and no model to ask, got method={settings.method!r}; choose another method "
            f"({error})"
        ) from error
    notes = [*pair.notes]
    if saliency is not None:
        notes.append("saliency is local contrast here: in training it is the gradient of the model's loss")
    figure = _figure(pair, path, saliency, settings)
    advance("drawing", 0.3)
    out, drawn = Path(settings.out), io.BytesIO()
    FigureCanvasAgg(figure).print_figure(drawn, format=out.suffix[1:], dpi=DPI)
    out.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(out, drawn.getvalue())
    advance("done", 0.6)
    shares = ", ".join(f"{weight:.2f}" for weight in path.weights)
    return [*notes, f"{settings.out}: label weights of {Path(settings.file_a).name}: {shares}"]


def _figure(pair: Pair, path: MixPath, saliency: Tensor | None, settings: PreviewSettings) -> Figure:
    title = f"{settings.method}, K = {len(path.samples) - 2}"
    labels = [_label(i, len(path.weights), weight) for i, weight in enumerate(path.weights)]
    if pair.kind == "lines":
        return draw_lines(path, labels, title, pair.across)
    is_sound = pair.kind == "spectrogram"
    samples = (path.samples - pair.x.min()) / (pair.x.max() - pair.x.min()) if is_sound else path.samples
    colours = "viridis" if is_sound else "gray"
    parts = zip(samples, labels, path.shares, strict=True)
    tiles = [Tile(sample, label, share=share, colours=colours) for sample, label, share in parts]
    columns = min(len(tiles), MAX_COLUMNS)
    if isinstance(path.plan.mask, Blocks):
        assert saliency is not None
        columns = len(tiles)
        tiles += puzzle_tiles(path.plan, path.plan.mask, saliency, path.samples)
    return draw_tiles(tiles, columns, f"{title}\n{pair.across[0]}" if is_sound else title, upwards=is_sound)


def _label(index: int, count: int, weight: float) -> str:
    title = {0: "x", count - 1: "x′"}.get(index, f"mix {index}")
    return f"{title}\n{weight:.2f} x + {1 - weight:.2f} x′"


def read_pair(settings: PreviewSettings) -> Pair:
    """Read both files.

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
