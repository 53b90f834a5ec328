"""The folded energy is the paper's energy, on images of any size and at any scale of pixels."""

import itertools

import numpy as np
import pytest
import torch
from oracles import binary_energy, cell_bounds, fold_free_energy

from multimix.grid import Axis, cell_edges, cell_of, cut
from multimix.kernels.cpu.borders import fold_compiled
from multimix.puzzle.cells import cell_means
from multimix.puzzle.energy import block_saliency, fold, pair_energy, thresholds


@pytest.mark.parametrize("neighbourhood", [1, 2, 4])
@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("size", [(8, 8), (9, 7), (2, 3)], ids=str)
def test_folding_changes_no_difference_between_masks(size, gamma, neighbourhood):
    torch.manual_seed(1)
    x = torch.rand(2, 3, *size, dtype=torch.float64)
    x[0, 0, 0, 0], x[1, 0, 0, 0] = 0.0, 1.0  # unit range already
    rows, columns = cut(size, 2)
    saliency = block_saliency(torch.rand(2, *size, dtype=torch.float64), rows, columns)
    partner = torch.tensor([1, 0])
    energy = pair_energy(x, saliency, None, partner, rows, columns, 1.2, gamma, neighbourhood)
    lam = 0.3
    threshold = float(thresholds(torch.tensor([[lam]], dtype=torch.float64), 0.2, 4))
    terms = [a[0].numpy() for a in (energy.gain, energy.right, energy.down)]
    differences = []
    for values in itertools.product((0, 1), repeat=4):
        z = np.array(values).reshape(2, 2)
        whole = fold_free_energy(z, x.numpy(), saliency.numpy(), 1.2, gamma, 0.2, neighbourhood, lam)
        differences.append(whole - binary_energy(z, *terms, threshold))
    assert np.ptp(differences) < 1e-12


@pytest.mark.parametrize("shape", [(6, 3, 4, 2, 4, 2), (5, 1, 3, 1, 2, 3), (4, 2, 1, 1, 8, 2)], ids=str)
def test_tensor_operations_and_the_compiled_kernel_fold_alike(shape):
    cells = torch.rand(shape, dtype=torch.float64)
    batch, _, height, _, width, _ = shape
    sample, partner = torch.arange(batch).repeat(2), torch.randint(batch, (2 * batch,))
    sizes = ((height, width), (height, width - 1), (height - 1, width))
    both = [[torch.full((2 * batch, *size), 0.2, dtype=torch.float64) for size in sizes] for _ in range(2)]
    scale = torch.tensor(0.3, dtype=torch.float64)
    fold(cells, sample, partner, scale, *both[0])
    fold_compiled(cells, sample, partner, scale, *both[1])
    for one, other in zip(*both, strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("scale", [(1, 0), (4.6, -2.1), (80, -80), (255, 0), (1e-6, 3)])
def test_weights_are_never_negative_at_any_scale_of_pixels(scale):
    x = torch.rand(8, 2, 16, 16, dtype=torch.float64)
    rows, columns = cut((16, 16), 4)
    saliency = torch.full((8, 4, 4), 1 / 16, dtype=torch.float64)
    partner = torch.arange(8).roll(1)
    scaled = pair_energy(x * scale[0] + scale[1], saliency, None, partner, rows, columns, 1.2, 1.0, 4)
    plain = pair_energy(x, saliency, None, partner, rows, columns, 1.2, 1.0, 4)
    assert min(scaled.right.min(), scaled.down.min()) >= 0
    torch.testing.assert_close(scaled.right, plain.right, atol=1e-8, rtol=0)


@pytest.mark.parametrize("pixel", [0.0, torch.nan, torch.inf])
@pytest.mark.parametrize(("scale", "offset"), [(1e-44, 0), (1e-30, 0), (3e38, 0), (1e37, 1.2e38)])
@pytest.mark.parametrize("method", ["fold_compiled", "fold"])
def test_energies_are_finite_whatever_the_pixels(scale, offset, pixel, method, monkeypatch):
    monkeypatch.setattr(
        "multimix.kernels.cpu.borders.fold_compiled", {"fold": fold, "fold_compiled": fold_compiled}[method]
    )
    x = scale * (2 * torch.rand(4, 2, 8, 8) - 1) + offset
    x[1, 0, 3, 3] = pixel
    rows, columns = cut((8, 8), 4)
    energy = pair_energy(x, torch.full((4, 4, 4), 1 / 16), None, torch.arange(4).roll(1), rows, columns, 1.2, 1.0, 4)
    for terms in (energy.gain, energy.right, energy.down):
        assert terms.isfinite().all()


@pytest.mark.parametrize("size", [(8, 8), (9, 7)], ids=str)
def test_where_no_value_is_looked_at_saliency_that_is_not_finite_counts_as_none(size):
    saliency = torch.rand(4, *size)
    rows, columns = cut(size, 2)
    broken = saliency.clone()
    broken[1, 2, 3], broken[3, 1, 1] = torch.nan, torch.inf
    blocks = block_saliency(broken, rows, columns)
    none = block_saliency(torch.zeros(4, *size), rows, columns)
    assert torch.equal(blocks[1::2], none[1::2])
    assert torch.equal(blocks[::2], block_saliency(saliency, rows, columns)[::2])


def test_a_constant_batch_has_borders_that_cost_the_same():
    rows, columns = cut((8, 8), 2)
    saliency = torch.full((2, 2, 2), 0.25)
    energy = pair_energy(torch.ones(2, 1, 8, 8), saliency, None, torch.tensor([1, 0]), rows, columns, 1.2, 0.5, 4)
    assert (energy.right == 1.2 / 32).all()
    assert (energy.gain == 0).all()


def test_a_series_is_an_image_of_one_row_whose_borders_weigh_as_much():
    rows, columns = cut((32,), 8)
    saliency = block_saliency(torch.rand(2, 32), rows, columns)
    energy = pair_energy(torch.rand(2, 3, 32), saliency, None, torch.tensor([1, 0]), rows, columns, 1.2, 0.0, 4)
    assert energy.gain.shape == (2, 1, 8)
    assert energy.down.numel() == 0
    # n x n blocks: beta / (16 n) per border against 1 / n^2 per block; here the same against 1 / n.
    torch.testing.assert_close(energy.right, torch.full((2, 1, 7), 1.2 / 16))


@pytest.mark.parametrize(("size", "blocks", "cells"), [(32, 4, 2), (33, 4, 2), (7, 7, 1), (224, 16, 3), (5, 2, 1)])
def test_cells_are_balanced_and_averaged(size, blocks, cells):
    axis = Axis(size, blocks, cells)
    bounds = cell_bounds(size, blocks, cells)
    assert axis.edges() == [low for low, _ in bounds] + [size]
    sizes = [high - low for low, high in bounds]
    assert max(sizes) - min(sizes) <= 1 or cells > 1
    image = torch.rand(2, 1, size, size, dtype=torch.float64)
    expected = torch.stack(
        [torch.stack([image[..., a:b, c:d].mean((2, 3)) for c, d in bounds], -1) for a, b in bounds], -2
    )
    torch.testing.assert_close(cell_means(image, axis, axis), expected, atol=1e-7, rtol=0)
    index = cell_of(cell_edges(axis, torch.device("cpu")), size)
    assert [int(i) for i in index] == [i for i, (low, high) in enumerate(bounds) for _ in range(low, high)]


def test_saliency_sums_to_one_and_is_uniform_where_there_is_none():
    saliency = torch.rand(3, 9, 7)
    saliency[1] = 0
    rows, columns = cut((9, 7), 2)
    blocks = block_saliency(saliency, rows, columns)
    torch.testing.assert_close(blocks.sum((1, 2)), torch.ones(3))
    torch.testing.assert_close(blocks[0, 0, 0], saliency[0, :4, :3].sum() / saliency[0].sum())
    torch.testing.assert_close(blocks[1], torch.tensor([[12.0, 16.0], [15.0, 20.0]]) / 63)
