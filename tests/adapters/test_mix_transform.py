"""MixTransform without torchvision; tests/bridges/test_torchvision.py uses it among torchvision's own transforms."""

import pickle

import pytest
import torch
import torch.nn.functional as F

from multimix import MultiMix
from multimix.adapters.torchvision import MixTransform

MIX = MixTransform(MultiMix("cutmix", num_mixes=3, num_classes=4))
Y = torch.arange(7) % 4
X = F.one_hot(Y, 4).float()[:, :, None, None].expand(7, 4, 8, 8)


def test_two_arguments_or_one_batch():
    for batch, kind in (((X, Y), tuple), (([X, Y],), list), (((X, Y),), tuple)):
        mixed = MIX(*batch)
        assert type(mixed) is kind
        x_mix, y_mix = mixed
        assert x_mix.shape == (21, 4, 8, 8)
        torch.testing.assert_close(x_mix.mean((2, 3)), y_mix)


def test_tensors_of_a_kind_of_their_own_need_no_torchvision():
    class Own(torch.Tensor):
        pass

    images, _ = MIX(X.as_subclass(Own), Y)
    assert type(images) is Own


def test_picklable():
    assert pickle.loads(pickle.dumps(MIX)) == MIX


def test_anything_else_is_refused():
    for batch in ((X,), ({"image": X, "label": Y},), (X, Y, Y), (X, 3)):
        with pytest.raises(TypeError, match=r"MixTransform mixes batches of two tensors \(x, y\), got batch="):
            MIX(*batch)
    with pytest.raises(ValueError, match="to be used by MixTransform, got method=PuzzleMix"):
        MixTransform(MultiMix("puzzlemix", num_classes=4))


def test_a_method_that_finds_saliency_without_a_model_is_taken():
    images, labels = MixTransform(MultiMix("saliencymix", num_mixes=3, num_classes=4))(
        torch.rand(5, 3, 8, 8), torch.arange(5) % 4
    )
    assert images.shape == (15, 3, 8, 8)
    assert labels.shape == (15, 4)


def test_settings_of_the_mixer_are_sent_to_it():
    with pytest.raises(TypeError, match=r"got MixTransform\(\.\.\., K=5\); pass mix=MultiMix\(\.\.\., num_mixes=5\)"):
        MixTransform("cutmix", K=5)


@pytest.mark.parametrize("shape", [(8, 3, 6, 6), (8, 4, 3, 6, 6)])
def test_a_batch_it_mixed_is_known(shape):
    transform, y = MixTransform(MultiMix("cutmix", num_mixes=1)), torch.rand(8, 4)
    with pytest.warns(UserWarning, match="x is mixed again, MixTransform mixed it before"):
        transform(*transform(torch.rand(shape), y))
