"""The clock of each member, on loss curves written by hand.

The parameters are the number of the epoch, so that one sees which were kept.
"""

import torch

from skmtl.training._clock import MemberClock, StoppingSettings


def run(curves, patience, tol=0.0, n_steps=None, rivals=None):
    """Tick through the curves as the loop does; returns the clock."""
    settings = StoppingSettings(patience, tol, rivals=rivals)
    clock = MemberClock(torch.zeros(len(curves), 1), settings, n_steps)
    for epoch in range(1, len(curves[0]) + 1):
        here = clock.members.tolist()
        losses = torch.tensor([curves[m][epoch - 1] for m in here])
        clock.tick(torch.full((len(here), 1), float(epoch)), losses * 2, losses)
        if not clock.any_active:
            break
        clock.leave()
    return clock


def test_every_member_stops_by_its_curve_and_keeps_its_best_weights():
    curves = [
        [5.0, 4.0, 3.0, 4.0, 4.0, 4.0, 4.0, 4.0],
        [5.0, 6.0, 6.0, 6.0, 6.0, 6.0, 6.0, 6.0],
        [8.0, 7.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0],
    ]
    clock = run(curves, patience=2)
    assert clock.n_iter.tolist() == [5, 3, 8]
    assert clock.best.squeeze(1).tolist() == [3, 1, 8]
    assert clock.best_loss.tolist() == [3, 5, 1]
    records = clock.records()
    assert records["valid_loss"][records["member"] == 1].tolist() == [5, 6, 6]
    assert records["train_loss"][records["member"] == 0].tolist() == [10, 8, 6, 8, 8]


def test_rivals_have_half_as_many_epochs_again_to_become_better():
    early = [3.0, 2.0, 3.0, 3.0] + [3.0] * 8
    slow = [9.0, 8.0, 7.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0] + [1.0] * 3
    later = [9.0, 8.0, 7.0, 5.0, 3.0, 1.5, 1.0, 0.9, 0.8, 0.7, 0.6, 0.5]
    clock = run([early, slow, later, slow], patience=2, rivals=[7, 7, 7, 8])
    # 4 epochs of the first one are 6 of others, by which only the third is better
    assert clock.n_iter.tolist() == [4, 6, 12, 11]
    assert clock.best_loss.tolist() == torch.tensor([2.0, 4.0, 0.5, 1.0]).tolist()


def test_small_improvements_are_kept_but_do_not_buy_time():
    clock = run([[1.0, 0.95, 0.90, 0.85, 0.80]], patience=2, tol=0.2)
    assert clock.n_iter.tolist() == [3]
    assert clock.best.item() == 3


def test_members_leave_when_half_have_stopped():
    clock = MemberClock(torch.zeros(4, 1), StoppingSettings(patience=1, tol=0.0))
    clock.tick(torch.ones(4, 1), torch.ones(4), torch.ones(4))
    clock.tick(torch.ones(4, 1), torch.ones(4), torch.tensor([2.0, 0.5, 0.5, 0.5]))
    assert clock.leave() is None
    clock.tick(torch.ones(4, 1), torch.ones(4), torch.tensor([0.1, 0.6, 0.4, 0.4]))
    assert clock.leave().tolist() == [2, 3]
    assert clock.members.tolist() == [2, 3]


def test_without_validation_nobody_stops_and_the_latest_weights_are_kept():
    clock = MemberClock(torch.zeros(2, 1), StoppingSettings(patience=1, tol=0.0))
    for epoch in range(5):
        clock.tick(torch.full((2, 1), float(epoch)), torch.tensor([1.0, 2.0]))
    assert clock.any_active
    assert clock.best.squeeze(1).tolist() == [4, 4]


def test_members_stop_after_their_last_epoch():
    clock = MemberClock(
        torch.zeros(4, 1), StoppingSettings(patience=1, tol=0.0, last_epochs=[2, 1, 5, 3])
    )
    epoch = 0
    while clock.any_active:
        epoch += 1
        clock.tick(torch.full((len(clock.members), 1), float(epoch)), torch.ones(len(clock.active)))
        clock.leave()
    assert clock.n_iter.tolist() == [2, 1, 5, 3]
    assert clock.best.squeeze(1).tolist() == [2, 1, 5, 3]
    assert clock.best_epoch.tolist() == [2, 1, 5, 3]


def test_the_epoch_of_the_best_weights_is_known():
    clock = run([[5.0, 4.0, 3.0, 4.0, 4.0], [1.0, 2.0, 3.0, 4.0, 5.0]], patience=2)
    assert clock.best_epoch.tolist() == [3, 1]


def test_members_that_have_stopped_stay_where_one_would_be_alone():
    clock = MemberClock(
        torch.zeros(4, 1), StoppingSettings(patience=1, tol=0.0, last_epochs=[1, 9, 1, 1])
    )
    clock.tick(torch.ones(4, 1), torch.ones(4))
    assert clock.leave(fewest=2).tolist() == [0, 1]
    clock.tick(torch.full((2, 1), 2.0), torch.ones(2))
    assert clock.leave(fewest=2) is None
    assert clock.n_iter.tolist() == [1, 2, 1, 1]
    assert clock.best.squeeze(1).tolist() == [1, 2, 1, 1]


def test_patience_is_at_least_ten_epochs_and_250_steps():
    curve = [1.0] + [2.0] * 60
    assert run([curve], "auto", n_steps=[25]).n_iter.tolist() == [11]
    assert run([curve], "auto", n_steps=[5]).n_iter.tolist() == [51]


def test_late_best_epochs_are_waited_for_up_to_fifty():
    for best, waited in ((20, 20), (80, 50)):
        curve = [1.0 / epoch if epoch <= best else 2.0 for epoch in range(1, 200)]
        assert run([curve], "auto", n_steps=[25]).n_iter.tolist() == [best + waited]


def test_tolerance_is_relative():
    # improvements of 1 %, of losses that are small
    curve = [1e-3 * 0.99**k for k in range(30)]
    assert run([curve], patience=3, tol=0.05).n_iter.item() < 10
    assert run([curve], patience=3, tol=1e-4).n_iter.item() == 30
