"""Probabilities, before and after temperature scaling, against values worked out by hand."""

import math
from dataclasses import replace

import pytest
import torch
from torch import nn

from multimix.lab.core.errors import UsageError
from multimix.lab.data import Data, HeldSplit
from multimix.lab.data.split import stratified
from multimix.lab.evaluate.calibration import HALVES_SEED, RANGE, Calibration, cross_fitted, fit_temperature
from multimix.lab.evaluate.error import Error
from multimix.lab.metrics import brier, confidence, ece, error_top5, nll, reliability

# Probability of the top class, whether it is right: two samples at 0.9 of which one is right, two at 0.6, both right.
LOGITS = torch.tensor([[0.9, 0.1], [0.9, 0.1], [0.4, 0.6], [0.4, 0.6]]).log()
LABELS = torch.tensor([0, 1, 1, 1])
CALIBRATION = Calibration()


def sure_of(gap, right, wrong):
    """Samples of two classes with logits (gap, 0), of which so many are of class 0."""
    return torch.tensor([[gap, 0.0]]).repeat(right + wrong, 1), torch.tensor([0] * right + [1] * wrong)


def data(logits, labels, validation=None):
    """Data whose samples are the logits of a model that returns what it gets."""
    split = HeldSplit(logits, labels)
    return Data(split, split, logits.shape[1], validation=validation and HeldSplit(*validation))


def test_top5_error_is_the_share_of_labels_that_are_not_among_five():
    logits = torch.tensor([[6.0, 5, 4, 3, 2, 1]]).repeat(4, 1)
    assert error_top5(logits, torch.tensor([0, 4, 5, 5])) == 0.5


def test_top5_error_is_left_out_where_five_are_all():
    for classes, names in ((5, {"error"}), (6, {"error", "error_top5"})):
        asked = Error()(nn.Identity(), data(torch.eye(classes), torch.arange(classes)))
        assert set(asked) == names


def test_brier_is_summed_over_classes():
    expected = (2 * 0.1**2 + 2 * 0.9**2 + 2 * 2 * 0.4**2) / 4
    assert brier(LOGITS, LABELS) == pytest.approx(expected, abs=1e-6)


def test_brier_of_certain_answers_is_zero_or_two():
    assert brier(torch.tensor([[1e3, 0.0, 0.0]]), torch.tensor([0])) == 0
    assert brier(torch.tensor([[1e3, 0.0, 0.0]]), torch.tensor([1])) == 2


def test_confidence_is_the_mean_of_the_top_class():
    assert confidence(LOGITS) == pytest.approx(0.75, abs=1e-6)


def test_bins_of_a_tenth_join_what_bins_of_a_fifteenth_part():
    logits = torch.tensor([[0.61, 0.39], [0.69, 0.31]]).log()
    labels = torch.tensor([1, 0])
    assert ece(logits, labels, num_bins=10) == pytest.approx(0.15, abs=1e-6)
    assert ece(logits, labels) == pytest.approx((0.61 + 0.31) / 2, abs=1e-6)


@pytest.mark.parametrize("gap", [0.3, 5.0, 30.0])
def test_the_temperature_makes_confidence_what_came_true(gap):
    logits, labels = sure_of(gap, right=9, wrong=1)
    assert fit_temperature(logits, labels) == pytest.approx(gap / math.log(9), rel=1e-6)


def test_the_temperature_has_the_least_nll():
    logits, labels = 3 * torch.randn(500, 7), torch.randint(7, (500,))
    labels[:250] = logits[:250].argmax(dim=1)
    best = fit_temperature(logits, labels)
    at = {factor: nll(logits.double() / (best * factor), labels) for factor in (0.999, 1, 1.001)}
    assert at[1] < min(at[0.999], at[1.001])
    assert fit_temperature(logits * 4, labels) == pytest.approx(4 * best, rel=1e-6)
    assert fit_temperature(logits + 1e4, labels) == pytest.approx(best, rel=1e-3)  # float32 logits


def test_a_temperature_without_an_end_ends_at_the_bounds():
    assert fit_temperature(*sure_of(3.0, right=10, wrong=0)) == RANGE[0]
    assert fit_temperature(*sure_of(3.0, right=4, wrong=6)) == RANGE[1]


def test_no_sample_has_a_part_in_its_own_temperature():
    logits, labels = 3 * torch.randn(200, 4), torch.randint(4, (200,))
    labels[:120] = logits[:120].argmax(dim=1)
    first, second = stratified(labels, 0.5, HALVES_SEED)
    assert abs(len(first) - len(second)) <= 4
    scaled, mean = cross_fitted(logits, labels)
    one, other = fit_temperature(logits[first], labels[first]), fit_temperature(logits[second], labels[second])
    assert abs(one - other) > 1e-3  # or the test could not tell them apart
    torch.testing.assert_close(scaled[first], logits[first].double() / other)
    torch.testing.assert_close(scaled[second], logits[second].double() / one)
    assert mean == (one + other) / 2


def test_calibration_on_a_validation_split_uses_its_temperature():
    values = CALIBRATION(nn.Identity(), data(*sure_of(5.0, 8, 2), validation=sure_of(5.0, right=9, wrong=1)))
    assert values["temperature"] == pytest.approx(5 / math.log(9))
    assert values["nll_scaled"] == pytest.approx(-(8 * math.log(0.9) + 2 * math.log(0.1)) / 10)
    assert values["brier_scaled"] == pytest.approx((8 * 2 * 0.01 + 2 * 2 * 0.81) / 10)
    assert values["ece_scaled"] == pytest.approx(0.1)
    assert values["ece_10_scaled"] == pytest.approx(0.1)
    sure = 1 / (1 + math.exp(-5))
    assert values["confidence"] == pytest.approx(sure)
    assert values["overconfidence"] == pytest.approx(sure - 0.8)
    assert values["reliability_scaled/13/accuracy"] == 0.8


def test_calibration_without_one_uses_the_other_half():
    values = CALIBRATION(nn.Identity(), data(*sure_of(5.0, 18, 2)))  # halves of 9 and 1
    assert values["temperature"] == pytest.approx(5 / math.log(9))
    assert values["ece_scaled"] == pytest.approx(0, abs=1e-6)
    assert values["overconfidence"] > 0
    timid = CALIBRATION(nn.Identity(), data(*sure_of(0.1, 18, 2)))
    assert timid["overconfidence"] < 0


def test_samples_that_cannot_be_halved_are_refused():
    single = data(torch.eye(3), torch.arange(3))
    with pytest.raises(UsageError, match="calibration needs a validation split, or two test samples of a class, got 1"):
        CALIBRATION.check(single)
    CALIBRATION.check(replace(single, validation=single.test))


def test_the_bars_of_the_reliability_diagram():
    bars = reliability(LOGITS.double(), LABELS, "r")
    # 0.6 = 9/15 is the lower edge of bin 9, up to the rounding of its logarithm
    low = "r/09" if "r/09/count" in bars else "r/08"
    assert bars == pytest.approx(
        {
            f"{low}/count": 2,
            f"{low}/confidence": 0.6,
            f"{low}/accuracy": 1,
            "r/13/count": 2,
            "r/13/confidence": 0.9,
            "r/13/accuracy": 0.5,
        },
        abs=1e-6,
    )
    assert all(type(value) is float for value in bars.values())


def test_a_sample_that_is_certain_is_in_the_last_bar():
    bars = reliability(torch.tensor([[1e3, 0.0], [5.0, 0.0]]), torch.tensor([0, 1]), "r")
    assert bars["r/14/count"] == 2
    assert bars["r/14/accuracy"] == 0.5


@pytest.mark.parametrize("certain", [1e3, 20.0], ids=["one", "one in float32"])
def test_a_confidence_of_one_shares_the_last_bin(certain):
    # 50 samples are certain, one of them wrong: +1. 50 have a confidence of 0.94 and are right: -3. In one bin |1 - 3|
    # of 100; were those that are certain in a bin of their own, 1 + 3.
    logits = torch.tensor([[certain, 0.0]] * 50 + [[0.94, 0.06]] * 50)
    logits[50:] = logits[50:].log()
    labels = torch.tensor([1] + [0] * 99)
    assert ece(logits, labels) == pytest.approx(0.02, abs=1e-6)


def test_the_bars_give_the_ece():
    logits, labels = 2 * torch.randn(300, 5), torch.randint(5, (300,))
    bars = reliability(logits, labels, "r")
    found = [
        [bars[f"r/{n:02}/{what}"] for what in ("count", "confidence", "accuracy")]
        for n in range(15)
        if f"r/{n:02}/count" in bars
    ]
    assert len(found) > 5
    assert sum(count * abs(sure - right) for count, sure, right in found) / 300 == pytest.approx(ece(logits, labels))
