"""Work captured as a CUDA graph."""

from collections.abc import Callable

import torch


def captured(work: Callable[[], object]) -> Callable[[], object]:
    """Return what replays it. Its tensors must stay where they are; what it returned is overwritten."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):  # as PyTorch asks for: a first call outside of the capture, on a stream of its own
        for _ in range(3):
            work()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    kept = []
    with torch.cuda.graph(graph):
        kept.append(work())
    replay = graph.replay
    return lambda: (replay(), kept)[0]
