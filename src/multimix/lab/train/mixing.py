"""From names and options to the library's mixer."""

from multimix import MultiMix
from multimix.lab.core.errors import UsageError
from multimix.lab.train.method_schedule import MethodSchedule, Odds, check_option_names
from multimix.lab.train.recipe import OneMethod


def mixer(settings: OneMethod, num_classes: int, num_mixes: int, odds: Odds | None = None) -> MultiMix:
    """Build the mixer that the settings describe, with K mixes.

    Args:
        settings: The run's, or the picture's.
        num_classes: Number of classes.
        num_mixes: K.
        odds: The methods of one phase; None: those of the first.

    Raises:
        UsageError: in the library's words, where it refuses a setting.
    """
    odds = odds or MethodSchedule.parse(settings.method).values[0]
    check_option_names(settings.method_options, [settings.method])
    try:
        return MultiMix(
            odds.build(settings.method_options),
            num_mixes=num_mixes,
            num_classes=num_classes,
            sampling=settings.sampling,
            share=settings.share,
            partners=settings.partners,
        )
    except (TypeError, ValueError) as error:
        raise UsageError(str(error)) from error
