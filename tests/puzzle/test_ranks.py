"""Saliency under DistributedDataParallel: two processes train, weights stay equal, nothing hangs."""

import os
from pathlib import Path

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import nn
from torch.nn.functional import cross_entropy
from torch.nn.parallel import DistributedDataParallel

from multimix import MultiMix, PuzzleMix
from multimix.puzzle.saliency import input_saliency


def model():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 64, 4)
    )


def train(rank: int, folder: str) -> None:
    os.environ["GLOO_SOCKET_IFNAME"] = "lo"
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    net = DistributedDataParallel(model())
    mix = MultiMix(PuzzleMix(), num_mixes=3, num_classes=4)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    x = torch.randn(8, 1, 8, 8, generator=torch.Generator().manual_seed(rank))
    y, grids, generator = torch.arange(8) % 4, [], torch.Generator().manual_seed(5)
    wrapped, bare = input_saliency(net, x, y), input_saliency(net.module, x, y)
    for _ in range(4):
        before = [b.clone() for b in net.buffers()]
        plan = mix.plan(x, y, model=net, generator=generator)
        untouched = all(torch.equal(a, b) for a, b in zip(before, net.buffers(), strict=True))
        flags = net.require_backward_grad_sync, net.require_forward_param_sync
        output, y_mix = mix.run(net, x, y, plan=plan)
        optimizer.zero_grad()
        cross_entropy(output, y_mix).backward()
        optimizer.step()
        grids.append((plan.mask.kept.shape[-1], plan.lam.tolist(), untouched, flags))
    weights = [parameter.detach().clone() for parameter in net.parameters()]
    torch.save((grids, weights, torch.equal(wrapped, bare)), Path(folder) / f"rank{rank}.pt")
    dist.destroy_process_group()


def test_ranks_agree_on_the_grid_and_keep_the_same_weights(tmp_path):
    mp.start_processes(train, args=(str(tmp_path),), nprocs=2, start_method="forkserver")
    (steps, weights, same), (steps1, weights1, same1) = (torch.load(tmp_path / f"rank{rank}.pt") for rank in (0, 1))
    assert same
    assert same1
    assert [grid for grid, *_ in steps] == [grid for grid, *_ in steps1]
    for (_, lam, untouched, flags), (_, lam1, *_) in zip(steps, steps1, strict=True):
        assert lam != lam1
        assert untouched
        assert flags == (True, True)
    assert all(torch.equal(first, second) for first, second in zip(weights, weights1, strict=True))
    assert not torch.equal(weights[-1], list(model().parameters())[-1])
