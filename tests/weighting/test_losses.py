"""Methods that look at losses, against TorchJD, closed forms and values by hand."""

import numpy as np
import pytest
import torch

from skmtl import weighting
from tests._weighting import assert_close, losses_for, run


def test_equal_weights_are_one():
    losses = torch.tensor([[1.0, torch.nan, 3.0]])
    assert weighting.EqualWeights().weights(losses).tolist() == [[1.0, 0.0, 1.0]]


def test_fixed_weights_are_those_given_and_one_beyond():
    losses = torch.ones(2, 3)
    found = weighting.FixedWeights([2.0, 0.0]).weights(losses)
    assert found.tolist() == [[2.0, 0.0, 1.0]] * 2
    with pytest.raises(TypeError, match="names of the tasks"):
        weighting.FixedWeights({"a": 1.0}).weights(losses)


def learned(method, losses, n_steps=3000):
    state = method.init_state(*losses.shape)
    for _ in range(n_steps):
        weights = method.weights(losses, state=state)
    return weights


def test_uncertainty_converges_to_the_noise_of_each_task():
    # the variance that is most likely, and half its inverse
    losses = torch.tensor([[0.01, 1.0, 4.0]], dtype=torch.float64)
    method = weighting.UncertaintyWeighting()
    assert_close(learned(method, losses), 0.5 / losses, rtol=1e-3)
    mixed = method.bind([range(3)], ["regression", "classes", "regression"])
    state = mixed.init_state(1, 3)
    for _ in range(3000):
        weights = method.weights(losses, state=state)
    # Kendall's classification: L / sigma^2 + log(sigma) is least at sigma^2 = 2 L
    assert_close(weights, 0.5 / losses, rtol=1e-3)
    assert method.weights(losses)[0, 0] == 0.5
    # the factor is seen at the start, where all variances are 1
    state = mixed.init_state(1, 3)
    assert method.weights(losses, state=state).tolist() == [[0.5, 1.0, 0.5]]


def test_uncertainty_steps_are_those_of_torch():
    scalarization = pytest.importorskip("torchjd.scalarization")
    theirs = scalarization.UW(4).double()
    optimizer = torch.optim.Adam(theirs.parameters(), lr=0.05)
    method = weighting.UncertaintyWeighting(learning_rate=0.05)
    state = method.init_state(1, 4)
    for step in range(30):
        losses = losses_for(seed=step)[0].requires_grad_()
        theirs(losses).backward()
        assert_close(method.weights(losses[None], state=state)[0], losses.grad, rtol=1e-10)
        optimizer.step()
        optimizer.zero_grad()


def test_imtl_l_steps_are_those_of_torch():
    scalarization = pytest.importorskip("torchjd.scalarization")
    theirs = scalarization.IMTLL(4).double()
    optimizer = torch.optim.Adam(theirs.parameters(), lr=0.05)
    method = weighting.IMTLL(learning_rate=0.05)
    state = method.init_state(1, 4)
    for step in range(30):
        losses = losses_for(seed=step)[0].requires_grad_()
        theirs(losses).backward()
        assert_close(method.weights(losses[None], state=state)[0], losses.grad, rtol=1e-10)
        optimizer.step()
        optimizer.zero_grad()


def test_imtl_l_makes_all_losses_one():
    losses = torch.tensor([[0.01, 1.0, 40.0]], dtype=torch.float64)
    assert_close(learned(weighting.IMTLL(), losses, 5000) * losses, torch.ones(1, 3), rtol=1e-3)


def test_uncertainty_and_imtl_l_differ_by_a_factor():
    batches = [(losses_for(2, seed=s), None) for s in range(8)]
    uncertainty, _ = run(weighting.UncertaintyWeighting(), batches, [0, 1])
    imtl, _ = run(weighting.IMTLL(), batches, [0, 1])
    assert_close(2 * uncertainty, imtl, rtol=1e-6)


def test_dwa_is_that_of_torchjd():
    scalarization = pytest.importorskip("torchjd.scalarization")
    theirs = scalarization.DWA(temperature=1.5)
    method = weighting.DynamicWeightAverage(temperature=1.5)
    state = method.init_state(1, 4)
    for epoch in range(4):
        for batch in range(3):
            losses = losses_for(seed=10 * epoch + batch)[0].requires_grad_()
            theirs(losses).backward()
            assert_close(method.weights(losses[None], state=state)[0], losses.grad, rtol=1e-10)
        theirs.step()
        method.end_epoch(state)


def test_dwa_by_hand():
    method = weighting.DynamicWeightAverage(temperature=2.0)
    state = method.init_state(1, 3)
    absent = torch.tensor([[4.0, 1.0, torch.nan]])
    for losses in (absent, absent / 2, absent / 4):
        weights = method.weights(losses, state=state)
        method.end_epoch(state)
    assert weights[0, 2] == 0
    assert_close(weights[0, :2], [1.0, 1.0])
    losses = torch.tensor([[1.0, 0.5, 1.0]])
    # of the task that was not there, nothing is known
    rates = np.exp(np.array([0.5, 0.5, 1.0]) / 2.0)
    assert_close(method.weights(losses, state=state)[0], 3 * rates / rates.sum(), rtol=1e-5)


def test_random_weights_have_mean_one_and_the_distribution_of_the_paper():
    generators = [torch.Generator().manual_seed(0)]
    method = weighting.RandomLossWeighting()
    draws = torch.cat(
        [method.weights(torch.ones(1, 3), generators=generators) for _ in range(2000)]
    )
    assert_close(draws.sum(1), torch.full((2000,), 3.0), rtol=1e-5)
    expected = 3 * torch.randn(20000, 3, generator=generators[0]).softmax(1)
    assert_close(draws.mean(0), torch.ones(3), rtol=0.06)
    assert_close(draws.std(0), expected.std(0), rtol=0.06)
    absent = torch.tensor([[1.0, torch.nan, 1.0]])
    assert_close(method.weights(absent).sum(), torch.tensor(2.0), rtol=1e-5)


@pytest.mark.parametrize("preference", [None, [0.1, 0.2, 0.3, 0.4]])
def test_chebyshev_is_that_of_torchjd(preference):
    scalarization = pytest.importorskip("torchjd.scalarization")
    chosen = None if preference is None else torch.tensor(preference, dtype=torch.float64)
    ideal = torch.tensor([0.1, 0.0, 0.2, 0.05], dtype=torch.float64)
    theirs = scalarization.STCH(0.2, chosen, ideal)
    losses = losses_for()[0].requires_grad_()
    theirs(losses).backward()
    method = weighting.SmoothChebyshev(0.2, preference, ideal.numpy())
    expected = losses.grad / losses.grad.mean()
    assert_close(method.weights(losses[None])[0], expected, rtol=1e-10)


def test_chebyshev_goes_to_the_largest_loss():
    losses = torch.tensor([[1.0, 1.1, 0.9]])
    assert_close(weighting.SmoothChebyshev(1e-4).weights(losses), [[0.0, 3.0, 0.0]], atol=1e-5)
    assert_close(weighting.SmoothChebyshev(1e4).weights(losses), torch.ones(1, 3), rtol=1e-4)


def test_famo_is_that_of_torchjd():
    scalarization = pytest.importorskip("torchjd.scalarization")
    theirs = scalarization.FAMO(4, lr=0.05, weight_decay=1e-2).double()
    method = weighting.FAMO(learning_rate=0.05, alpha=1e-2)
    state = method.init_state(1, 4)
    for step in range(30):
        losses = losses_for(seed=step)[0].requires_grad_()
        theirs(losses).backward()
        found = method.weights(losses[None], state=state)[0]
        assert_close(found, 4 * losses.grad, rtol=1e-6)
        after = losses_for(seed=step + 1000)
        theirs.update(after[0])
        method.end_step(losses.detach()[None], after, state)
