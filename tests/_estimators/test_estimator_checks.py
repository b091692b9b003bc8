"""scikit-learn's own checks, over every public estimator.

No failure is expected: identical rows are merged, so that even sample weights are exact.
"""

import pytest
from sklearn.base import BaseEstimator, is_classifier
from sklearn.utils.estimator_checks import parametrize_with_checks

import skmtl
from skmtl.architectures import SharedBottom

# the checks fit a y of one column, which is one task: nothing to group, and refused. Those that fit
# nothing are in tests/grouping/test_grouper.py
EXCLUDED = {"TaskGrouper"}
ESTIMATORS = [
    value
    for value in (getattr(skmtl, name) for name in skmtl.__all__ if name not in EXCLUDED)
    if isinstance(value, type) and issubclass(value, BaseEstimator)
]

# the least that learns what some checks require
SHORT = {
    "max_iter": 4,
    "n_iter_no_change": 5,
    "learning_rate_init": 2e-2,
    "weight_averaging": 0.9,
}
SMALL = {**SHORT, "hidden_layer_sizes": (16,)}


def short(cls):
    """Return an estimator that takes little time."""
    names = cls().get_params()
    if "layers" in names:
        return cls(layers=(16,), **SHORT)
    if "architecture" in names:
        return cls(SharedBottom(hidden_layer_sizes=(16,)), **SHORT)
    return cls(**SMALL)


# all estimators share the code of these: several members, and another loss without hidden layers
VARIANTS = [
    skmtl.MultiTaskHypernetRegressor(n_members=2, **SMALL),
    skmtl.MultiTaskHypernetRegressor(hidden_layer_sizes=(), loss="absolute_error", **SHORT),
]

# some checks fit one or two rows
few_rows = pytest.mark.filterwarnings("ignore::skmtl.exceptions.ValidationWarning")


def no_expected_failures(estimator):
    return {}


@few_rows
@parametrize_with_checks(
    [*map(short, ESTIMATORS), *VARIANTS],
    expected_failed_checks=no_expected_failures,
    xfail_strict=True,
)
def test_scikit_learn_check(estimator, check):
    # classifiers share the code of class weights, and one stops early
    long = check.func.__name__ == "check_class_weight_classifiers"
    if long and not isinstance(estimator, skmtl.MultiTaskHypernetClassifier):
        pytest.skip("sets max_iter=1000, which takes half a minute; the slow test below runs it")
    check(estimator)


@pytest.mark.slow
@few_rows
@parametrize_with_checks(
    [estimator() for estimator in ESTIMATORS],
    expected_failed_checks=no_expected_failures,
    xfail_strict=True,
)
def test_scikit_learn_check_of_the_defaults(estimator, check):
    check(estimator)


def test_there_are_public_estimators():
    assert {is_classifier(estimator()) for estimator in ESTIMATORS} == {True, False}


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_every_estimator_says_what_its_parameters_may_be(estimator):
    assert set(estimator._parameter_constraints) == set(estimator().get_params())
