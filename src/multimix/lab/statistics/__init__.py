"""What can be said from a few seeds."""

from multimix.lab.statistics.holm import holm
from multimix.lab.statistics.interval import Interval, paired_difference, t_interval, verdict
from multimix.lab.statistics.paired import Paired, paired
from multimix.lab.statistics.power import detectable, power
from multimix.lab.statistics.signed_rank import signed_rank_p

__all__ = [
    "Interval",
    "Paired",
    "detectable",
    "holm",
    "paired",
    "paired_difference",
    "power",
    "signed_rank_p",
    "t_interval",
    "verdict",
]
