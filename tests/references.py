"""Slow, obvious oracles: what the formulas say, one sample, one mix, one pixel at a time."""

import itertools
import math
from collections.abc import Sequence
from fractions import Fraction

import torch
from torch import Tensor


def rows(plan):
    """(row, k, kept sample, partner) of every mixed row of a plan."""
    for k in range(plan.num_mixes):
        for i in range(plan.num_pairs):
            sample = i if plan.sample is None else int(plan.sample[i])
            partner = int(plan.partner[k, i] if plan.partner.ndim == 2 else plan.partner[i])
            yield k * plan.num_pairs + i, k, i, sample, partner


def mixup(x: Tensor, plan) -> Tensor:
    """weight * x[sample] + (1 - weight) * x[partner], in float64."""
    out = []
    for _, k, i, sample, partner in rows(plan):
        weight = plan.weight[k, i].double()
        out.append(weight * x[sample].double() + (1 - weight) * x[partner].double())
    return torch.stack(out).to(x.dtype)


def cutmix(x: Tensor, plan) -> Tensor:
    """The sample with the partner's pixels pasted into the box."""
    out = []
    for _, k, i, sample, partner in rows(plan):
        box = [slice(int(a), int(b)) for a, b in zip(plan.mask.low[k, i], plan.mask.high[k, i], strict=True)]
        mixed = x[sample].clone()
        mixed[(..., *box)] = x[partner][(..., *box)]
        out.append(mixed)
    return torch.stack(out)


def puzzle(x: Tensor, plan) -> Tensor:
    """Each position from the cell that its own cell shows, of the sample, of the partner, or half of each."""
    mask = plan.mask
    images = x.reshape(len(x), -1, *(1, *x.shape[2 if x.ndim > 2 else 1 :])[-2:])
    out = torch.empty(plan.num_mixes * plan.num_pairs, *images.shape[1:], dtype=torch.float64)
    down, across = mask.rows.tolist(), mask.columns.tolist()
    for row, k, i, sample, partner in rows(plan):
        for r, c in itertools.product(range(len(down) - 1), range(len(across) - 1)):
            block = r // mask.per_block[0], c // mask.per_block[1]
            share = mask.kept[k, i][block].item() / mask.whole
            for y_at, x_at in itertools.product(range(down[r], down[r + 1]), range(across[c], across[c + 1])):
                shown = []
                for which, image in enumerate((images[sample], images[partner])):
                    cell = (
                        r * (len(across) - 1) + c
                        if mask.source is None
                        else int(mask.source[k, i, which, r * (len(across) - 1) + c])
                    )
                    a, b = divmod(cell, len(across) - 1)
                    y_from = min(down[a] + y_at - down[r], down[a + 1] - 1)
                    x_from = min(across[b] + x_at - across[c], across[b + 1] - 1)
                    shown.append(image[:, y_from, x_from].double())
                out[row, :, y_at, x_at] = share * shown[0] + (1 - share) * shown[1]
    return out.reshape(-1, *x.shape[1:]).to(x.dtype)


def ordered(x: Tensor, plan) -> Tensor:
    """A position is the sample's as long as its level is above k, then the partner's."""
    out = []
    for _, k, i, sample, partner in rows(plan):
        mixed = x[sample].clone()
        for position in itertools.product(*map(range, plan.mask.level.shape[1:])):
            if not int(plan.mask.level[(i, *position)]) > k:
                mixed[(..., *position)] = x[partner][(..., *position)]
        out.append(mixed)
    return torch.stack(out)


def bump(x: Tensor, plan) -> Tensor:
    """(1 - b) * x[sample] + b * x[partner], with b the product of the factors at a position, in float64."""
    out = torch.empty(plan.num_mixes * plan.num_pairs, *x.shape[1:], dtype=torch.float64)
    for row, k, i, sample, partner in rows(plan):
        for position in itertools.product(*(range(factor.shape[2]) for factor in plan.mask.factors)):
            share = math.prod(float(f[k, i, at]) for f, at in zip(plan.mask.factors, position, strict=True))
            own, other = (x[j][(..., *position)].double() for j in (sample, partner))
            out[(row, ..., *position)] = (1 - share) * own + share * other
    return out.to(x.dtype)


def resized(x: Tensor, plan) -> Tensor:
    """The sample, in the box the partner's position that lies as far along its axes as the middle of each position."""
    out = []
    for _, k, i, sample, partner in rows(plan):
        low, high = plan.mask.boxes.low[k, i].tolist(), plan.mask.boxes.high[k, i].tolist()
        mixed = x[sample].clone()
        for position in itertools.product(*map(range, low, high)):
            along = [Fraction(2 * (at - a) + 1, 2 * (b - a)) for at, a, b in zip(position, low, high, strict=True)]
            there = [math.floor(part * size) for part, size in zip(along, x.shape[x.ndim - len(low) :], strict=True)]
            mixed[(..., *position)] = x[partner][(..., *there)]
        out.append(mixed)
    return torch.stack(out)


def labels(y: Tensor, plan, num_classes: int) -> Tensor:
    """weight * onehot(y[sample]) + (1 - weight) * onehot(y[partner]), in float64."""
    out = torch.zeros(plan.num_mixes * plan.num_pairs, num_classes, dtype=torch.float64)
    for row, k, i, sample, partner in rows(plan):
        out[row, y[sample]] += plan.weight[k, i].double()
        out[row, y[partner]] += 1 - plan.weight[k, i].double()
    return out


def kept_share(plan, boxes, spatial: Sequence[int]) -> Tensor:
    """Share of positions outside each box, counted one by one."""
    share = torch.empty(plan.num_mixes, plan.num_pairs, dtype=torch.float64)
    for _, k, i, _, _ in rows(plan):
        kept = torch.ones(*spatial)
        kept[tuple(slice(int(a), int(b)) for a, b in zip(boxes.low[k, i], boxes.high[k, i], strict=True))] = 0
        share[k, i] = kept.sum() / math.prod(spatial)
    return share


def fmix_published(field: Tensor, num_kept: int) -> Tensor:
    """Published FMix: positions sorted by their value, so many of them, from the highest down, set to 1."""
    mask = torch.zeros(field.numel())
    mask[field.flatten().argsort(descending=True)[:num_kept]] = 1
    return mask.reshape(field.shape)


def smoothmix_openmixup(x: Tensor, index: Tensor, centre: Sequence[float], sigma: float) -> Tensor:
    """OpenMixup's SmoothMix on (B, C, S, S): the partner shows through a Gaussian, 1 at its centre, given in pixels."""
    down, across = (torch.exp(-((torch.arange(x.shape[-1]) - c) ** 2) / (2 * sigma**2)) for c in centre)
    bump = down[:, None] * across
    return x * (1 - bump) + x[index] * bump


def saliencymix_published(saliency: Tensor, lam: float) -> list[tuple[int, int]]:
    """Published SaliencyMix: the edges, per axis, of a box around the highest saliency, of even sides, clipped."""
    peak = torch.unravel_index(saliency.argmax(), saliency.shape)
    edges = []
    for size, place in zip(saliency.shape, peak, strict=True):
        half = int(size * math.sqrt(1 - lam)) // 2
        edges.append((max(int(place) - half, 0), min(int(place) + half, size)))
    return edges


def mixup_cifar10(x: Tensor, y: Tensor, lam: float, index: Tensor, criterion, model) -> tuple[Tensor, Tensor]:
    """Published input mixup: one lam, one permutation for the batch; the loss mixes two criteria."""
    mixed = lam * x + (1 - lam) * x[index]
    output = model(mixed)
    return mixed, lam * criterion(output, y) + (1 - lam) * criterion(output, y[index])


def cutmix_published(x: Tensor, index: Tensor, lam: float, centre: Sequence[float]) -> tuple[Tensor, float]:
    """CutMix as Puzzle Mix's code has it, on (B, C, H, W): a box for the batch, clipped, lam corrected to its share."""
    height, width = x.shape[-2:]
    cut = math.sqrt(1 - lam)
    top, bottom = (min(max(math.floor(centre[0] + s * height * cut / 2), 0), height) for s in (-1, 1))
    left, right = (min(max(math.floor(centre[1] + s * width * cut / 2), 0), width) for s in (-1, 1))
    mixed = x.clone()
    mixed[:, :, top:bottom, left:right] = x[index, :, top:bottom, left:right]
    return mixed, 1 - (bottom - top) * (right - left) / (height * width)
