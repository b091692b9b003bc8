"""Learning rates by epoch: rounds that double, and their replay without detours."""

import numpy as np
import pytest
import torch

from skmtl.training._clock import MemberClock, StoppingSettings
from skmtl.training._optimizer import MemberAdam
from skmtl.training._schedule import Doubling, Replay, Schedule
from tests._members import build, task_rows


@pytest.mark.parametrize("max_epochs", [1, 2, 3, 5, 15, 35, 100, 1000])
def test_rounds_double_and_fit(max_epochs):
    schedule = Doubling(max_epochs)
    n_epochs = schedule.most_epochs(max_epochs)
    assert 1 <= n_epochs <= max_epochs
    ends = sorted(schedule._ends)
    assert ends[-1] == n_epochs
    if max_epochs == 100:
        assert ends == [15, 35, 75]
        # the rate is constant, falls to near zero, and is full again
        factors = [schedule.factors(torch.tensor([k])) for k in range(n_epochs)]
        assert factors[:10] == [1.0] * 10
        np.testing.assert_allclose(factors[10:15], [0.9, 0.7, 0.5, 0.3, 0.1])
        assert factors[15:25] == [1.0] * 10


def test_the_replay_of_an_epoch_has_the_rates_that_led_to_it():
    schedule = Doubling(100)
    best = torch.tensor([7, 12, 30, 75])
    replay = schedule.replay(best)
    # 7 constant; 10 constant and 2 falling; 20 and 5; 40 and 20
    assert schedule.lengths(best).tolist() == [7, 12, 25, 60]
    rates = torch.stack([replay.factors(torch.full((4,), k)) for k in range(60)], 1)
    assert (rates[0, :7] == 1).all()
    torch.testing.assert_close(rates[1, 10:12], torch.tensor([0.9, 0.7]))
    torch.testing.assert_close(rates[2, 19:22], torch.tensor([1.0, 0.95, 0.85]))
    replay.select(torch.tensor([3]))
    assert replay.factors(torch.tensor([59])).tolist() == pytest.approx([0.025])


def test_a_round_that_gains_nothing_is_the_last_one():
    clock = MemberClock(torch.zeros(2, 1), StoppingSettings(patience=None, tol=0.0))
    for losses in ([1.0, 1.0], [0.5, 0.999], [0.3, 0.998]):
        clock.tick(torch.zeros(2, 1), torch.ones(2), torch.tensor(losses))
        clock.end_round(0.005)
    assert clock.active.tolist() == [True, False]
    assert clock.n_iter.tolist() == [3, 2]


def test_restoring_forgets_what_came_after_saving():
    module = build(task_rows(), [0, 1])
    optimizer = MemberAdam(module, lr=[1e-2, 1e-3], averaging=0.9)
    generator = torch.Generator().manual_seed(0)

    def step():
        for p in module.parameters():
            p.grad = torch.randn(p.shape, generator=generator, dtype=p.dtype)
        optimizer.step()

    step()
    optimizer.save()
    state = {name: value.clone() for name, value in optimizer._state().items()}
    optimizer.set_factors(0.5)
    step()
    assert not torch.equal(optimizer.buffer, state["buffer"])
    optimizer.restore()
    for name, before in state.items():
        assert torch.equal(getattr(optimizer, name), before), name
    assert optimizer.param_groups[0]["lr"].flatten().tolist() == pytest.approx([5e-3, 5e-4])
    optimizer.select(torch.tensor([1]))
    optimizer.restore()
    assert torch.equal(optimizer.buffer, state["buffer"][1:])


def test_without_validation_the_rate_falls_in_the_last_third():
    replay = Replay.of_length(9, 2)
    factors = [replay.factors(torch.tensor([k, k]))[0].item() for k in range(9)]
    assert factors[:6] == [1.0] * 6
    assert factors[6:] == pytest.approx([5 / 6, 3 / 6, 1 / 6])


def test_a_constant_rate_is_left_alone():
    schedule = Schedule()
    assert schedule.factors(torch.tensor([5])) is None
    assert schedule.most_epochs(7) == 7
    best = torch.tensor([3])
    assert schedule.lengths(best) is best
    assert schedule.patient
