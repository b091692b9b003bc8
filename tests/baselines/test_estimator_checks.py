"""scikit-learn's own checks, over every baseline, in small."""

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from skmtl import baselines

ESTIMATORS = [getattr(baselines, name) for name in baselines.__all__]
# the least that learns what some checks ask for
SHORT = {
    "max_iter": 20,
    "n_iter_no_change": 5,
    "learning_rate_init": 2e-2,
    "weight_averaging": 0.9,
    "hidden_layer_sizes": (16,),
    # without a seed, one fit in twenty is so sure that probabilities of several rows are all 1,
    # and a check that ranks them takes that for a difference
    "random_state": 0,
}
# some checks fit one or two rows
few_rows = pytest.mark.filterwarnings("ignore::skmtl.exceptions.ValidationWarning")


@few_rows
@parametrize_with_checks(
    [estimator(**SHORT) for estimator in ESTIMATORS],
    expected_failed_checks=lambda estimator: {},
    xfail_strict=True,
)
def test_scikit_learn_check(estimator, check):
    check(estimator)


@pytest.mark.slow
@few_rows
@parametrize_with_checks(
    [estimator() for estimator in ESTIMATORS],
    expected_failed_checks=lambda estimator: {},
    xfail_strict=True,
)
def test_scikit_learn_check_of_the_defaults(estimator, check):
    check(estimator)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_every_estimator_says_what_its_parameters_may_be(estimator):
    assert set(estimator._parameter_constraints) == set(estimator().get_params())
