"""Active learning of MTG-Net: measure a group, fit, predict, choose the next group to measure.

Source: Song et al., "Efficient and effective multi-task grouping via meta learning on task
combinations", section 3.4, Algorithm 1.
"""

import numpy as np
from sklearn.base import clone

from skmtl.grouping.selection._beam import beam_search
from skmtl.grouping.selection._exact import choose_exactly

_MAX_LIMIT = 10
# largest number of measured groups at which the baseline is fitted after each of them
_MANY_GROUPS = 100
# largest number of candidates at which verification selects exactly
_FEW_CANDIDATES = 500


def n_to_measure(n_tasks, rounds):
    """Return the number of groups to measure after that of all tasks, if there are as many."""
    if rounds is None:
        return n_tasks * (n_tasks - 1) // 2
    return rounds * n_tasks


def measure_actively(net, measurements, candidates, context):
    """Measure one group for each task in each round, and fit `net` to all of them.

    Return the predicted gains of the candidates. Without `max_groups` in the context, verification
    assumes 2 to 10 groups.
    """
    generator, metadata = context.random_state, context.metadata
    n_tasks = candidates.shape[1]
    n_steps = n_to_measure(n_tasks, net.rounds)
    limits = [context.max_groups]
    if context.max_groups is None:
        limits = list(range(2, min(n_tasks, _MAX_LIMIT + 1))) or [1]
    measurements(np.ones((1, n_tasks), dtype=bool))
    predicted = _learn(net, measurements, candidates, metadata)
    # between the fits of the paper's schedule, only the baseline is fitted, which is fast
    baseline = clone(net).set_params(max_iter=0) if net.baseline == "pairwise" else None
    stale = False
    for step in range(n_steps):
        unknown = ~measurements.known(candidates)
        if not unknown.any():
            break
        task, chosen = step % n_tasks, None
        if step >= n_steps * (1 - net.verification):
            gains = measurements.merged(candidates, predicted[0])
            chosen = _draw_selected(gains, unknown, limits[step % len(limits)], generator)
        if chosen is None:
            rows = np.flatnonzero(unknown & candidates[:, task])
            chosen = choose_next(net, rows, task, step, predicted, generator)
        if chosen is None:
            chosen = generator.choice(np.flatnonzero(unknown))
        measurements(candidates[chosen : chosen + 1])
        stale = True
        every = 1 if len(measurements) <= n_tasks + 1 else n_tasks
        if (step + 1) % every == 0:
            predicted, stale = _learn(net, measurements, candidates, metadata), False
        elif baseline is not None and len(measurements) <= _MANY_GROUPS:
            predicted = _learn(baseline, measurements, candidates, metadata)
    if stale:
        predicted = _learn(net, measurements, candidates, metadata)
    return predicted[0]


def _learn(net, measurements, candidates, metadata):
    """Fit to all measurements; return predictions and standard deviations of the candidates."""
    groups, gains = measurements.table()
    if net.start == "singletons":
        alone = np.eye(candidates.shape[1], dtype=bool)
        groups = np.concatenate([alone, groups])
        gains = np.concatenate([np.where(alone, 0.0, np.nan), gains])
    return net.fit(groups, gains, metadata).predict(candidates, return_std=True)


def _draw_selected(gains, unknown, limit, generator):
    """Draw an unmeasured group from those that would be selected now; None if there is none."""
    select = choose_exactly if len(gains) <= _FEW_CANDIDATES else beam_search
    selected = [row for row in select(gains, limit) or [] if unknown[row]]
    return generator.choice(selected) if selected else None


def choose_next(net, rows, task, step, predicted, generator):
    """Choose the next candidate to measure from `rows`, those with the task; None if empty."""
    if not len(rows):
        return None
    mean, deviation = predicted[0][rows, task], predicted[1][rows, task]
    if net.acquisition == "random":
        return generator.choice(rows)
    if net.acquisition == "upper_bound":
        # candidates with equal bounds are equally likely
        upper = mean + net.exploration * deviation
        return generator.choice(rows[upper >= upper.max() - 1e-12 * np.abs(upper).max()])
    size = np.abs(mean)
    if net.acquisition == "extremes" and step // predicted[0].shape[1] % 2:
        return rows[size.argmin()]
    if net.acquisition in ("largest", "extremes"):
        return rows[size.argmax()]
    chances = np.exp(net.sharpness * (size - size.max()))
    return generator.choice(rows, p=chances / chances.sum())
