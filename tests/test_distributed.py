"""Two processes: one shape of the step, different pairs, and DistributedDataParallel around the model."""

import os
from pathlib import Path

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import nn
from torch.nn.functional import cross_entropy
from torch.nn.parallel import DistributedDataParallel

from multimix import ManifoldMixup, MultiMix


def model() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(*[nn.Linear(6, 6) for _ in range(6)])


def train(rank: int, folder: str) -> None:
    """One rank: the same seed everywhere, its own samples, two steps."""
    os.environ["GLOO_SOCKET_IFNAME"] = "lo"
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    net = DistributedDataParallel(model())
    mix = MultiMix(ManifoldMixup(layers=["1", "2", "3", "4"]), num_mixes=3, num_classes=6)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    generator = torch.Generator().manual_seed(5)
    x = torch.randn(8, 6, generator=torch.Generator().manual_seed(rank))
    plans = []
    for _ in range(4):
        plan = mix.plan(x, model=net, generator=generator)
        output, y_mix = mix.run(net, x, torch.arange(8) % 6, plan=plan)
        optimizer.zero_grad()
        cross_entropy(output, y_mix).backward()
        optimizer.step()
        plans.append((plan.layer, plan.lam.tolist(), plan.partner.tolist()))
    weights = [parameter.detach().clone() for parameter in net.parameters()]
    torch.save((plans, weights), Path(folder) / f"rank{rank}.pt")
    dist.destroy_process_group()


def test_ranks_agree_on_the_layer_differ_in_pairs_and_keep_the_same_weights(tmp_path):
    mp.start_processes(train, args=(str(tmp_path),), nprocs=2, start_method="forkserver")
    (plans, weights), (plans1, weights1) = (torch.load(tmp_path / f"rank{rank}.pt") for rank in (0, 1))
    assert [layer for layer, _, _ in plans] == [layer for layer, _, _ in plans1]
    assert len({layer for layer, _, _ in plans}) > 1
    for (_, lam, _), (_, lam1, _) in zip(plans, plans1, strict=True):
        assert lam != lam1
    for first, second, start in zip(weights, weights1, model().parameters(), strict=True):
        assert torch.equal(first, second)
        assert not torch.equal(first, start)
