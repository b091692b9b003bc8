"""What every method of task weighting keeps: members, absent tasks, hard gradients, states."""

import copy
import inspect
import pickle

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone

from skmtl import weighting
from skmtl.weighting._base import to_device
from tests._weighting import (
    GRADIENT_METHODS,
    METHODS,
    assert_close,
    batches_of,
    gradients,
    gramian_of,
    losses_for,
    part_of,
    run,
    seeded,
)

every = pytest.mark.parametrize("name", METHODS)
every_gradient = pytest.mark.parametrize("name", GRADIENT_METHODS)


def test_all_methods_are_tested():
    public = {
        cls
        for cls in (getattr(weighting, name) for name in weighting.__all__)
        if inspect.isclass(cls)
        and issubclass(cls, weighting.TaskWeighting)
        and not inspect.isabstract(cls)
    }
    assert {type(method) for method in METHODS.values()} == public - {weighting.TorchJDWeighting}


@every
def test_a_member_is_the_same_alone_and_in_a_stack(name):
    method, batches = METHODS[name], batches_of()
    together, state = run(method, batches, [3, 4, 5])
    for m in range(3):
        of_member = [(losses[m : m + 1], gramian[m : m + 1]) for losses, gramian in batches]
        alone, state_alone = run(method, of_member, [3 + m])
        assert torch.equal(alone[:, 0], together[:, m])
        if state is not None:
            assert_same_state(state_alone, part_of(state, [m]))


def assert_same_state(one, other):
    assert one.keys() == other.keys()
    for key, value in one.items():
        if isinstance(value, dict):
            assert_same_state(value, other[key])
        else:
            torch.testing.assert_close(value, other[key], rtol=0, atol=0, equal_nan=True)


@every
def test_tasks_that_never_have_rows_change_nothing(name):
    # as tasks of other members, or empty slots of a batch
    method, batches = METHODS[name], batches_of(n_tasks=3)
    padded = [
        (
            torch.nn.functional.pad(losses, (0, 2), value=torch.nan),
            torch.nn.functional.pad(gramian, (0, 2, 0, 2)),
        )
        for losses, gramian in batches
    ]
    actual, state = run(method, padded, [1, 2, 3])
    expected, state_alone = run(method, batches, [1, 2, 3])
    assert torch.equal(actual[:, :, :3], expected)
    assert (actual[:, :, 3:] == 0).all()
    if state is not None:
        assert_same_state(part_of(state, [0, 1, 2], 3), state_alone)


@every
def test_absent_tasks_have_weight_zero_and_others_a_finite_one(name):
    for absent in (0.5, 1.0):
        batches = batches_of(absent=absent)
        actual, _ = run(METHODS[name], batches, [1, 2, 3])
        assert torch.isfinite(actual).all()
        for weights, (losses, _) in zip(actual, batches, strict=True):
            assert (weights[torch.isnan(losses)] == 0).all()


HARD = {
    "zero": torch.zeros(3, 4),
    "one is zero": torch.tensor([[1.0, 0, 0], [0, 0, 0], [1, 1, 0]]),
    "identical": torch.ones(3, 4),
    "opposite": torch.tensor([[1.0, 2], [-1, -2]]),
    "opposite and another": torch.tensor([[1.0, 0], [-1, 0], [0, 1]]),
    "huge and tiny": torch.tensor([[1e12, 0.0], [1e-12, 1e-12], [0, 1.0]]),
    "tiny": 1e-20 * torch.tensor([[1.0, 2], [2, 1]]),
    "dependent": torch.tensor([[1.0, 0], [0, 1], [1, 1], [1, -1]]),
    "one task": torch.tensor([[1.0, 2]]),
    "one task, zero": torch.zeros(1, 2),
    "triangle": torch.tensor([[1.0, 0], [-0.5, 0.75**0.5], [-0.5, -(0.75**0.5)]]),
}


@every
@pytest.mark.parametrize("case", HARD)
def test_degenerate_gradients_give_finite_weights(name, case):
    for dtype in (torch.float64, torch.float32):
        g = HARD[case].to(dtype)[None]
        losses = torch.ones(g.shape[:2], dtype=dtype)
        losses[:, 0] = 0.0
        actual, _ = run(METHODS[name], [(losses, gramian_of(g))] * 4, [0])
        assert torch.isfinite(actual).all()
        assert actual.dtype == dtype
        # of mean 1 or less, so that none exceeds the number of tasks
        assert actual.abs().max() <= g.shape[1] + 1


@every_gradient
def test_members_that_diverge_keep_equal_weights_and_disturb_nobody(name):
    losses, gramian = losses_for(3), gramian_of(gradients(3))
    spoilt = gramian.clone()
    spoilt[1, 2, 2] = torch.inf
    actual, _ = run(METHODS[name], [(losses, spoilt)], [1, 2, 3])
    expected, _ = run(METHODS[name], [(losses, gramian)], [1, 2, 3])
    assert torch.isfinite(actual).all()
    assert torch.equal(actual[0, [0, 2]], expected[0, [0, 2]])


ORDERED = [
    name for name in METHODS if name not in ("random", "fixed", "pcgrad", "gradvac", "composed")
]


@pytest.mark.parametrize("name", ORDERED)
@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 1000))
def test_permuted_tasks_have_permuted_weights(name, seed):
    order = torch.randperm(4, generator=torch.Generator().manual_seed(seed))
    batches = batches_of(n_members=1, n_tasks=4, absent=0.0, seed=seed)
    permuted = [(losses[:, order], gramian[:, order][:, :, order]) for losses, gramian in batches]
    actual, _ = run(METHODS[name], permuted, [0])
    expected, _ = run(METHODS[name], batches, [0])
    assert_close(actual, expected[:, :, order], rtol=1e-4, atol=1e-5)


@every_gradient
@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 1000), exponent=st.integers(-12, 12))
def test_the_unit_of_all_gradients_does_not_matter(name, seed, exponent):
    batches = batches_of(n_members=1, seed=seed, n_steps=2)
    scaled = [(losses, gramian * 4.0**exponent) for losses, gramian in batches]
    actual, _ = run(METHODS[name], scaled, [0])
    expected, _ = run(METHODS[name], batches, [0])
    # powers of two: bitwise identical but for solvers
    assert_close(actual, expected, rtol=1e-9)


@every
def test_a_state_can_be_stored_and_gone_on_with(name):
    method, batches = METHODS[name], batches_of(n_steps=4)
    state = method.init_state(3, 5)
    generators = seeded(3)
    for losses, gramian in batches[:2]:
        method.weights(losses, gramian, state, generators)
    stored = pickle.loads(pickle.dumps(to_device(state, "cpu")))
    states = [generator.get_state() for generator in generators]
    expected = method.weights(*batches[2], state, generators)
    for generator, old in zip(generators, states, strict=True):
        generator.set_state(old)
    assert torch.equal(method.weights(*batches[2], stored, generators), expected)


@every
def test_methods_are_cloned_and_shown_as_estimators_are(name):
    method = METHODS[name]
    copied = clone(method)
    assert repr(copied) == repr(method)
    assert type(method).__name__ in repr(method)
    assert copy.deepcopy(method).get_params(deep=False).keys() == method.get_params(False).keys()


@every_gradient
def test_without_a_gramian_a_gradient_method_says_so(name):
    with pytest.raises(ValueError, match=r"needs gramian.*\(M, T, T\)"):
        METHODS[name].weights(torch.ones(1, 2))


def test_states_are_drawn_anew_if_none_is_given():
    method = weighting.FAMO()
    losses = losses_for()
    assert torch.equal(method.weights(losses), method.weights(losses))


@pytest.mark.parametrize(
    ("method", "message"),
    [
        (weighting.DynamicWeightAverage(temperature=0), "temperature"),
        (weighting.SmoothChebyshev(smoothness=-1), "smoothness"),
        (weighting.SmoothChebyshev(preference=[1, 1, 1]), "3 numbers for 2 tasks"),
        (weighting.SmoothChebyshev(preference=[1, 0]), "above 0"),
        (weighting.MGDA(normalization="l3"), "normalization"),
        (weighting.CAGrad(c=-1), "c must be"),
        (weighting.AlignedMTL(scale="max"), "scale"),
        (weighting.FairGrad(alpha=-1), "alpha"),
        (weighting.GradVac(rate=2), "rate"),
        (weighting.FixedWeights([1, 2, 3]), "3 weights for 2 tasks"),
        (weighting.FixedWeights([1, -2]), "at least 0"),
        (weighting.Composition(weighting.PCGrad(), weighting.MGDA()), "for losses and then"),
    ],
)
def test_parameters_are_checked(method, message):
    with pytest.raises(ValueError, match=message):
        method.init_state(1, 2)
