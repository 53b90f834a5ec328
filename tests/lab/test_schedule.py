"""Courses of the learning rate, and the moments they are made of."""

import math

import pytest

from multimix.lab.core.errors import UsageError
from multimix.lab.train.moments import Length, Moment
from multimix.lab.train.schedule import check_within, parse_schedule
from multimix.lab.train.settings import TrainSettings

TEN_EPOCHS = Length(steps=1000, epoch=100)


def factors(text, steps, length=TEN_EPOCHS):
    schedule = parse_schedule(text)
    return [schedule.factor(step, length) for step in steps]


def test_constant_and_cosine():
    assert factors("constant", [0, 999]) == [1, 1]
    assert factors("cosine", [0, 500, 250]) == pytest.approx([1, 0.5, 0.5 + 0.5 * math.cos(math.pi / 4)])


def test_multistep_falls_to_a_tenth_with_the_first_step_of_its_epochs():
    assert factors("multistep:4,7.5", [0, 399, 400, 749, 750, 999]) == pytest.approx([1, 1, 0.1, 0.1, 0.01, 0.01])
    assert factors("multistep:40%,75%", [399, 400, 749, 750]) == pytest.approx([1, 0.1, 0.1, 0.01])


def test_linear_goes_through_its_points():
    text = "linear:1=0.5,8=1,9=0"  # flat to epoch 1, up to epoch 8, down to epoch 9, flat
    assert factors(text, [0, 100, 450, 800, 850, 900, 950]) == pytest.approx([0.5, 0.5, 0.75, 1, 0.5, 0, 0])


@pytest.mark.parametrize("text", ["cosine", "constant", "multistep:4,7.5", "linear:0=0.5,8=1,10=0.125"])
def test_in_percent_means_the_same_in_a_run_of_any_length(text):
    schedule = parse_schedule(text)
    short = Length(steps=20, epoch=3)
    same = parse_schedule(str(schedule.in_percent(epochs=10)))
    assert str(schedule) == text
    assert [same.factor(step, short) for step in range(20)] == pytest.approx(
        [schedule.factor(50 * step, TEN_EPOCHS) for step in range(20)]
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("cosin", r"schedule must be one of constant, cosine, .*, got schedule='cosin'"),
        ("cosine:3", r"schedule must be one of"),
        ("multistep", r"schedule must be one of"),
        ("multistep:a", r"schedule must be a number of epochs, or 0% to 100% of the run, got 'a'"),
        ("multistep:120%", r"schedule must be a number of epochs, or 0% to 100% of the run, got '120%'"),
        ("multistep:200,100", r"moments must rise, .* got schedule='multistep:200,100'"),
        ("multistep:1,50%", r"moments must rise, all in epochs or all in percent"),
        ("linear:0=1,5", r"a factor of the learning rate must be a number >= 0, got ''"),
        ("linear:0=-1", r"a factor of the learning rate must be a number >= 0, got '-1'"),
    ],
)
def test_what_is_refused(text, message):
    with pytest.raises(UsageError, match=message):
        TrainSettings(schedule=text, out="somewhere")


def test_a_change_after_the_end_is_refused():
    with pytest.raises(UsageError, match=r"must lie within the run, got 11 epochs in .* of a run of 10 epochs"):
        check_within(parse_schedule("multistep:5,11"), TEN_EPOCHS)
    check_within(parse_schedule("linear:0=1,10=0"), TEN_EPOCHS)
    check_within(parse_schedule("multistep:50%,100%"), TEN_EPOCHS)


def test_moments():
    assert Moment.of_run("x", "2.5").step(TEN_EPOCHS) == 250
    assert Moment.of_run("x", "5%").step(TEN_EPOCHS) == 50
    assert [str(Moment.of_run("x", text)) for text in ("5", "2.50", "10%")] == ["5", "2.5", "10%"]
