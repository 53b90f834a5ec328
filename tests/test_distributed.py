"""Two processes: one shape of the step, different pairs; the model replicated (DDP) or sharded (FSDP2)."""

import os
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.nn.functional import cross_entropy
from torch.nn.parallel import DistributedDataParallel

from multimix import ManifoldMixup, MultiMix, TopMix

SHARDS = hasattr(torch.cpu.Stream, "record_event")  # which FSDP2 asks for: PyTorch 2.6 shards on GPUs only
METHODS = {"manifold": ManifoldMixup(layers=["1", "2", "3", "4"]), "saliency": TopMix(grid=None)}


def model() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(*[nn.Linear(6, 6) for _ in range(6)])


def replicated() -> nn.Module:
    return DistributedDataParallel(model())


def sharded() -> nn.Module:
    """Each layer's weights are gathered when it runs, and the whole is a group of its own, as in FSDP2's tutorial."""
    net, mesh = model(), init_device_mesh("cpu", (2,))
    for layer in net:
        fully_shard(layer, mesh=mesh)
    return fully_shard(net, mesh=mesh)


def train(net: nn.Module, name: str, rank: int) -> tuple[list, list[Tensor]]:
    """Four steps: the same seed everywhere, samples of one's own."""
    mix = MultiMix(METHODS[name], num_mixes=3, num_classes=6)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    generator = torch.Generator().manual_seed(5)
    x, y = torch.randn(8, 6, generator=torch.Generator().manual_seed(rank)), torch.arange(8) % 6
    plans = []
    for _ in range(4):
        plan = mix.plan(x, y, model=net, generator=generator)
        output, y_mix = mix.run(net, x, y, plan=plan)
        optimizer.zero_grad()
        cross_entropy(output, y_mix).backward()
        optimizer.step()
        places = getattr(plan.mask, "level", plan.weight)
        plans.append((plan.layer, plan.lam.tolist(), plan.partner.tolist(), places.tolist()))
    whole = [getattr(parameter, "full_tensor", lambda p=parameter: p)() for parameter in net.parameters()]
    return plans, [parameter.detach().clone() for parameter in whole]


def work(rank: int, folder: str) -> None:
    """What one rank does: every method, with replicas and with shards."""
    os.environ["GLOO_SOCKET_IFNAME"] = "lo"
    os.environ["MULTIMIX_KERNELS"] = "torch"  # two processes need not compile the others
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    kinds = (replicated, sharded) if SHARDS else (replicated,)
    found = {(name, kind.__name__): train(kind(), name, rank) for name in METHODS for kind in kinds}
    torch.save(found, Path(folder) / f"rank{rank}.pt")
    dist.destroy_process_group()


@pytest.fixture(scope="module")
def ranks(tmp_path_factory):
    """What each of two ranks found."""
    folder = tmp_path_factory.mktemp("ranks")
    mp.start_processes(work, args=(str(folder),), nprocs=2, start_method="forkserver")
    return [torch.load(folder / f"rank{rank}.pt") for rank in (0, 1)]


needs_shards = pytest.mark.skipif(not SHARDS, reason="this PyTorch shards on GPUs only")


@pytest.mark.parametrize("kind", ["replicated", pytest.param("sharded", marks=needs_shards)])
def test_ranks_agree_on_the_layer_differ_in_pairs_and_keep_the_same_weights(ranks, kind):
    for name in METHODS:
        (plans, weights), (plans1, weights1) = (found[name, kind] for found in ranks)
        assert [layer for layer, *_ in plans] == [layer for layer, *_ in plans1]
        assert len({layer for layer, *_ in plans}) > (name == "manifold")
        for (_, lam, *_), (_, lam1, *_) in zip(plans, plans1, strict=True):
            assert lam != lam1
        for first, second, start in zip(weights, weights1, model().parameters(), strict=True):
            assert torch.equal(first, second)
            assert not torch.equal(first, start)


@needs_shards
@pytest.mark.parametrize("name", METHODS)
def test_shards_learn_what_replicas_learn(ranks, name):
    # The layer that is mixed, and the saliency that TopMix and Puzzle Mix follow, are found in a model of which each
    # rank holds a part.
    for found in ranks:
        (plans, weights), (sharded_plans, sharded_weights) = (found[name, kind] for kind in ("replicated", "sharded"))
        assert sharded_plans == plans
        for one, other in zip(sharded_weights, weights, strict=True):
            torch.testing.assert_close(one, other)
