"""Gains by MTG-Net: measure a group, learn, predict the others, choose what to measure next.

Source: Song et al., "Efficient and effective multi-task grouping via meta learning on task
combinations", section 3.4, Algorithm 1.
"""

import numpy as np
from sklearn.base import clone

from skmtl.grouping._beam import beam_search
from skmtl.grouping._exact import choose_exactly
from skmtl.grouping._mtgnet import MTGNet

_MOST_GROUPS = 10
# measured groups up to which the baseline learns after each of them
_MANY_GROUPS = 100
# candidates up to which verification selects exactly
_FEW_CANDIDATES = 500


def mtgnet_gains(
    measurements, candidates, generator, *, rounds=None, net=None, metadata=None, limits=None
):
    """Measure one group for each task in each round, and predict all others.

    Parameters
    ----------
    measurements : Measurements
    candidates : ndarray of shape (n, n_tasks) of bool
    generator : RandomState
    rounds : int, optional
        The paper's K, (n_tasks - 1) / 2 by default: about as many groups as there are pairs.
    net : MTGNet, optional
    metadata : ndarray of shape (n_tasks, n_metadata), optional
    limits : list of int, optional
        Numbers of groups that may be selected, for the verification; from 2 to 10 by default.

    Returns
    -------
    gains : ndarray of shape (n, n_tasks)
        Measured ones where they are known.
    net : MTGNet
        After the last round.
    """
    net = clone(MTGNet() if net is None else net)
    net._validate_params()
    seed = generator.randint(np.iinfo(np.int32).max)
    if net.random_state is None:
        net.set_params(random_state=seed)
    n_tasks = candidates.shape[1]
    n_asked = _n_asked(n_tasks, rounds)
    if limits is None:
        limits = list(range(2, min(n_tasks, _MOST_GROUPS + 1))) or [1]
    measurements(np.ones((1, n_tasks), dtype=bool))
    predicted = _learn(net, measurements, candidates, metadata)
    # between the times of the paper's schedule the baseline learns alone, which takes no time
    between = clone(net).set_params(max_iter=0) if net.baseline == "pairwise" else None
    stale = False
    for number in range(n_asked):
        left = ~measurements.known(candidates)
        if not left.any():
            break
        task = number % n_tasks
        of_task = np.flatnonzero(left & candidates[:, task])
        chosen = None
        if number >= n_asked * (1 - net.verification):
            limit = limits[number % len(limits)]
            chosen = _would_be_selected(measurements, candidates, left, predicted, limit, generator)
        if chosen is None:
            chosen = _choose(net, of_task, task, number, predicted, generator)
        if chosen is None:
            chosen = generator.choice(np.flatnonzero(left))
        measurements(candidates[chosen : chosen + 1])
        stale = True
        every = 1 if len(measurements) <= n_tasks + 1 else n_tasks
        if (number + 1) % every == 0:
            predicted, stale = _learn(net, measurements, candidates, metadata), False
        elif between is not None and len(measurements) <= _MANY_GROUPS:
            predicted = _learn(between, measurements, candidates, metadata)
    if stale:
        predicted = _learn(net, measurements, candidates, metadata)
    known = measurements.known(candidates)
    gains = predicted[0].copy()
    gains[known] = measurements(candidates[known])
    return gains, net


def _n_asked(n_tasks, rounds):
    if rounds is None:
        return n_tasks * (n_tasks - 1) // 2
    return rounds * n_tasks


def _learn(net, measurements, candidates, metadata):
    groups, gains = measurements.table()
    if net.start == "singletons":
        alone = np.eye(candidates.shape[1], dtype=bool)
        groups = np.concatenate([alone, groups])
        gains = np.concatenate([np.where(alone, 0.0, np.nan), gains])
    return net.fit(groups, gains, metadata).predict(candidates, return_std=True)


def _would_be_selected(measurements, candidates, left, predicted, limit, generator):
    """One of the groups that would be selected now and are not measured yet; None if all are."""
    known = measurements.known(candidates)
    gains = predicted[0].copy()
    gains[known] = measurements(candidates[known])
    select = choose_exactly if len(candidates) <= _FEW_CANDIDATES else beam_search
    selected = [row for row in select(gains, limit) or [] if left[row]]
    return generator.choice(selected) if selected else None


def _choose(net, rows, task, number, predicted, generator):
    """One of the candidates that have the task, or None if there are none."""
    if not len(rows):
        return None
    mean, deviation = predicted[0][rows, task], predicted[1][rows, task]
    if net.acquisition == "random":
        return generator.choice(rows)
    if net.acquisition == "upper_bound":
        # of candidates that are alike any
        upper = mean + net.exploration * deviation
        return generator.choice(rows[upper >= upper.max() - 1e-12 * np.abs(upper).max()])
    size = np.abs(mean)
    if net.acquisition == "extremes" and number // predicted[0].shape[1] % 2:
        return rows[size.argmin()]
    if net.acquisition in ("largest", "extremes"):
        return rows[size.argmax()]
    chances = np.exp(net.sharpness * (size - size.max()))
    return generator.choice(rows, p=chances / chances.sum())
