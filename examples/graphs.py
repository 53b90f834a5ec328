"""Graphs: their nodes have no partners, so graphs are mixed where each is one vector, before the head.

    python examples/graphs.py FOLDER

FOLDER has MUTAG.txt and PROTEINS.txt, or MUTAG/MUTAG.txt and PROTEINS/PROTEINS.txt, as in dataset.zip beside the
Graph Isomorphism Network's code (https://github.com/weihua916/powerful-gnns): the number of graphs; for each graph a
line with its number of nodes and its label, then a line for every node: its tag, the number of its neighbours, and who
they are. The network gets the numbers of graphs, not their nodes: `mix.run` mixes at its layer "head", so everything
below runs once per graph whatever K is. A fifth of a fixed order is tested on. A minute on one core.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from harness import Split, Task, error_percent, run
from torch import Tensor, nn

from multimix import ManifoldMixup, MultiMix


@dataclass(frozen=True)
class Graphs:
    """Many graphs, one after the other.

    Args:
        tags: Kind of each node.
        first: Where each graph's nodes begin, and the end of the last.
        edges: For each graph, (2, E) nodes counted from its first: from, to.
        labels: Class of each graph.
    """

    tags: Tensor
    first: Tensor
    edges: list[Tensor]
    labels: Tensor


def read(file: Path) -> Graphs:
    """Reads a file of graphs."""
    lines = iter(file.read_text().splitlines())
    tags, sizes, edges, labels = [], [], [], []
    for _ in range(int(next(lines))):
        size, label = map(int, next(lines).split()[:2])
        sizes.append(size)
        labels.append(label)
        ends = []
        for node in range(size):
            tag, degree, *neighbours = next(lines).split()
            tags.append(int(tag))
            ends += [(int(other), node) for other in neighbours[: int(degree)]]  # numbers of the node may follow
        edges.append(torch.tensor(ends, dtype=torch.int64).reshape(-1, 2).T)
    kinds = {tag: i for i, tag in enumerate(sorted(set(tags)))}
    names = sorted(set(labels))
    return Graphs(
        torch.tensor([kinds[tag] for tag in tags]),
        torch.tensor([0, *sizes]).cumsum(0),
        edges,
        torch.tensor([names.index(label) for label in labels]),
    )


class GIN(nn.Module):
    """A graph isomorphism network (Xu et al., 2019, arXiv 1810.00826) of three layers, for graphs given by number."""

    def __init__(self, graphs: Graphs) -> None:
        super().__init__()
        self.graphs = graphs
        self.embed = nn.Embedding(int(graphs.tags.max()) + 1, 32)
        self.layers = nn.ModuleList(
            nn.Sequential(nn.Linear(32, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU())
            for _ in range(3)
        )
        self.head = nn.Linear(3 * 32, int(graphs.labels.max()) + 1)

    def forward(self, number: Tensor) -> Tensor:
        """Returns the logits of the graphs with these numbers, (B,)."""
        starts, ends = self.graphs.first[number].tolist(), self.graphs.first[number + 1].tolist()
        sizes = torch.tensor([end - start for start, end in zip(starts, ends, strict=True)])
        offsets = sizes.cumsum(0) - sizes
        owner = torch.arange(len(sizes)).repeat_interleave(sizes)
        nodes = torch.cat([self.graphs.tags[start:end] for start, end in zip(starts, ends, strict=True)])
        source, target = torch.cat([self.graphs.edges[i] + o for i, o in zip(number.tolist(), offsets, strict=True)], 1)
        h = self.embed(nodes)
        summed = []
        for layer in self.layers:
            h = layer(h.index_add(0, target, h[source]))
            summed.append(torch.zeros(len(sizes), 32).index_add(0, owner, h) / sizes[:, None])
        logits: Tensor = self.head(torch.cat(summed, dim=1))
        return logits


def place(folder: Path, name: str) -> Path:
    """Returns where a set's file lies: in a folder of its name, or beside the others."""
    own = folder / name / f"{name}.txt"
    return own if own.is_file() else folder / f"{name}.txt"


def task(folder: Path, name: str) -> Task:
    """Returns one set's task."""
    graphs = read(place(folder, name))
    order = torch.randperm(len(graphs.labels), generator=torch.Generator().manual_seed(0))
    test, train = order[: len(order) // 5], order[len(order) // 5 :]
    mix = ManifoldMixup(layers=["head"], alpha=1.0)
    return Task(
        title=name,
        train=Split(train, graphs.labels[train]),
        test=Split(test, graphs.labels[test]),
        model=lambda: GIN(graphs),
        mixers={"manifold": lambda k: MultiMix(mix, num_mixes=k, num_classes=int(graphs.labels.max()) + 1)},
        loss=F.cross_entropy,
        score=error_percent,
        score_name="error, %",
        rows=50,
        steps=300,
        learning_rate=0.01,
    )


def tasks(asked: argparse.Namespace) -> list[Task]:
    """Returns both tasks."""
    names = ("MUTAG", "PROTEINS")
    missing = [name for name in names if not place(asked.folder, name).is_file()]
    if missing:
        raise SystemExit(f"folder must have {missing[0]}.txt, got none in {asked.folder}; give another")
    return [task(asked.folder, name) for name in names]


def options(parser: argparse.ArgumentParser) -> None:
    """Adds what this example needs to be told."""
    parser.add_argument("folder", type=Path)


if __name__ == "__main__":
    run(tasks, "graphs", __doc__, options)
