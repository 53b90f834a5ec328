"""Draws go to a device in one copy."""

import numpy as np
import torch

from multimix import CutMix, FMix, GridMix, MultiMix, ResizeMix, SmoothMix
from multimix.shapes import ALIGNED, packed, send, unpacked


def test_what_is_packed_is_unpacked():
    hosts = [torch.arange(3, dtype=torch.uint8), torch.rand(2, 5, dtype=torch.float64), torch.arange(7)[:, None]]
    hosts += [torch.rand(0, 3), torch.tensor(4, dtype=torch.int16), torch.rand(3, dtype=torch.complex64)]
    together = packed(hosts)
    views = unpacked(together, hosts)
    for view, host in zip(views, hosts, strict=True):
        assert torch.equal(view, host)
        assert view.dtype == host.dtype
        assert view.untyped_storage().data_ptr() == together.data_ptr()
        assert (view.data_ptr() - together.data_ptr()) % ALIGNED == 0


def test_on_the_cpu_nothing_is_copied():
    array = np.arange(4.0)
    (sent,) = send([array], torch.device("cpu"))
    array[0] = 7
    assert sent.tolist() == array.tolist()


def test_a_plan_is_one_copy(monkeypatch):
    copies = []

    def counted(host, device):
        copies.append(host.nbytes)
        return host.to(device)

    monkeypatch.setattr("multimix.shapes.to_device", counted)
    x = torch.empty(5, 3, 6, 7, device="meta")
    for method in ("none", "mixup", CutMix(), FMix(), SmoothMix(), ResizeMix(), GridMix(), "saliencymix"):
        for partners in ("same", "fresh"):
            copies.clear()
            plan = MultiMix(method, num_mixes=3, partners=partners).plan(x)
            assert plan.partner.device.type == plan.weight.device.type == "meta"
            assert len(copies) == 1


def test_draws_for_a_gpu_are_written_to_pinned_memory_and_copied_once(monkeypatch):
    made, moved, empty = [], [], torch.empty
    monkeypatch.setattr(
        torch, "empty", lambda *size, pin_memory, **kind: made.append(pin_memory) or empty(*size, **kind)
    )
    monkeypatch.setattr("multimix.shapes.to_device", lambda host, device: moved.append(host) or host)
    sent = send([np.arange(3), np.ones(2, np.float32)], torch.device("cuda"))
    assert [tensor.tolist() for tensor in sent] == [[0, 1, 2], [1, 1]]
    assert made == [True]
    assert len(moved) == 1
