"""Gain estimators, one a file, and their registry."""

import inspect

from skmtl.grouping.gains._affinity import Affinity
from skmtl.grouping.gains._base import GainContext, GainEstimate, GainEstimator
from skmtl.grouping.gains._exhaustive import Exhaustive
from skmtl.grouping.gains._high_order import HighOrder
from skmtl.grouping.gains._linearised import Linearised
from skmtl.grouping.gains._measurements import Measurements
from skmtl.grouping.gains._mtgnet import MTGNet
from skmtl.grouping.gains._random import Random

__all__ = ["GAIN_ESTIMATORS", "GainContext", "GainEstimator", "Measurements", "get_gain_estimator"]

GAIN_ESTIMATORS = {
    "exhaustive": Exhaustive,
    "hoa": HighOrder,
    "tag": Affinity,
    "linearised": Linearised,
    "mtgnet": MTGNet,
    "random": Random,
}


def get_gain_estimator(method):
    """Return the gain estimator that a name, an object or a function stands for."""
    if isinstance(method, str) and method in GAIN_ESTIMATORS:
        return GAIN_ESTIMATORS[method]()
    if isinstance(method, GainEstimator):
        return method
    if callable(method) and not inspect.isclass(method):
        return FunctionGains(method)
    raise ValueError(
        f"the gain method must be one of {tuple(GAIN_ESTIMATORS)}, an object such as MTGNet(), or "
        f"a function; got {method!r}."
    )


class FunctionGains(GainEstimator):
    """Estimate gains by a function of the measurements and the candidates."""

    def __init__(self, function):
        self.function = function

    def estimate(self, measurements, candidates, *, context):
        return GainEstimate(candidates, self.function(measurements, candidates))
