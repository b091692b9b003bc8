"""Gain estimators, one a file; their public names are those of `skmtl.grouping`."""

from skmtl.grouping.gains._affinity import Affinity
from skmtl.grouping.gains._base import GainContext, GainEstimate, GainEstimator
from skmtl.grouping.gains._exhaustive import Exhaustive
from skmtl.grouping.gains._high_order import HighOrder
from skmtl.grouping.gains._measurements import Measurements
from skmtl.grouping.gains._mtgnet import MTGNet
from skmtl.grouping.gains._random import Random
from skmtl.grouping.gains._registry import GAIN_ESTIMATORS, get_gain_estimator

__all__ = [
    "GAIN_ESTIMATORS",
    "Affinity",
    "Exhaustive",
    "GainContext",
    "GainEstimate",
    "GainEstimator",
    "HighOrder",
    "MTGNet",
    "Measurements",
    "Random",
    "get_gain_estimator",
]
