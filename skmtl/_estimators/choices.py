"""Settings that a fit chooses by validation: which alternatives a plan has, and what is kept.

Alternatives are members of one run, see `skmtl._estimators.run.train`.
"""

from dataclasses import replace
from itertools import product

import numpy as np
from sklearn.utils import check_random_state

# values that "auto" tries with so many labels to train on: a quarter as many choose, and with more
# it hardly matters and takes long. Otherwise the first ones hold, see benchmarks/recipe/LOG.md
_AUTOMATIC = {"alpha": (1e-4, 0.3), "activation": ("silu", "tanh")}
_FEWEST_LABELS, _MOST_LABELS = 100, 3000
# preset="best": alternatives, members that are kept unless n_members is larger, and how much larger
# than the smallest their losses may be; further values of "auto", and factors of other parameters
_N_TRIED, _N_KEPT, _WORST = 16, 4, 0.25
_MORE = {"alpha": (1e-4, 0.01, 0.1, 0.3, 1.0), "activation": ("silu", "tanh", "relu")}
_FACTORS = {
    "embedding_alpha": (0.1, 1.0, 10.0),
    "interaction_alpha": (0.01, 1.0),
    "learning_rate_init": (0.3, 1.0),
}


def n_kept(estimator):
    """Return how many members a fit keeps, at most."""
    several = estimator.preset == "best" and estimator.n_members == 1
    return _N_KEPT if several else estimator.n_members


def first_choice(plan):
    """Return the values of "auto" parameters where validation does not choose."""
    return {name: values[0] for name, values in _AUTOMATIC.items() if _is_auto(plan, name)}


def alternatives(plan):
    """Return plans for the settings that a plan can choose from, or a list of itself."""
    if plan.chosen is not None:
        return [plan]
    automatic = first_choice(plan)
    if plan.valid is None or plan.estimator.preset == "fast":
        return [_with(plan, automatic)]
    if plan.estimator.preset == "best":
        tried = _best_settings(plan, automatic)
        seeds = plan.estimator._member_seeds(len(tried))
        # the same validation rows for all, so that their losses can be compared
        return [
            _with(plan, settings, seeds=seed, splits=plan.splits[:1])
            for settings, seed in zip(tried, seeds.reshape(-1, 1), strict=True)
        ]
    if not _FEWEST_LABELS <= plan.train.n_labels <= _MOST_LABELS:
        return [_with(plan, automatic)]
    return [_with(plan, settings) for settings in _grid({n: _AUTOMATIC[n] for n in automatic})]


def _is_auto(plan, name):
    value = plan.setting(name)
    return isinstance(value, str) and value == "auto"


def _with(plan, settings, **changes):
    return replace(plan, chosen=settings, new_tasks=None, **changes)


def _grid(values):
    return [dict(zip(values, choice, strict=True)) for choice in product(*values.values())]


def _best_settings(plan, automatic):
    """Return the settings of `preset="best"`: those of the default, then some drawn at random."""
    given = {name: plan.setting(name) for name in _FACTORS}
    # values by level, and those that are estimated, stay as they are
    given = {name: v for name, v in given.items() if not isinstance(v, (str, dict))}
    values = {name: _MORE[name] for name in automatic}
    values |= {
        name: tuple(factor * given[name] for factor in factors)
        for name, factors in _FACTORS.items()
        if given.get(name) is not None
    }
    settings = [given | usual for usual in _grid({name: _AUTOMATIC[name] for name in automatic})]
    others = [choice for choice in _grid(values) if choice not in settings]
    order = check_random_state(0).permutation(len(others))
    n_tried = max(_N_TRIED, plan.estimator.n_members)
    return (settings + [others[n] for n in order])[:n_tried]


def rival_numbers(groups):
    """Return a number for each member of groups of alternatives: rivals have the same.

    Also how many of them are wanted. Without alternatives both are None.
    """
    if all(len(group) == 1 for group in groups):
        return None, None
    numbers, best = [], groups[0][0].estimator.preset == "best"
    for group in groups:
        first, same = len(numbers), best and len(group) > 1
        numbers += [first + (0 if same else n) for plan in group for n in range(len(plan.seeds))]
    return numbers, n_kept(groups[0][0].estimator) if best else 1


def choose(plans, groups, losses):
    """Set the settings of each plan to those that validate best; return the members with them.

    `losses` (M,) are those of all members of the `groups` of alternatives.
    """
    members, first = [], 0
    for plan, group in zip(plans, groups, strict=True):
        n_seeds = len(group[0].seeds)
        of_group = losses[first : first + len(group) * n_seeds].reshape(len(group), n_seeds)
        means = of_group.mean(axis=1)
        if len(group) > 1 and plan.estimator.preset == "best":
            kept = np.argsort(means, kind="stable")[: n_kept(plan.estimator)]
            best = means[kept[0]]
            # with n_members as many as that, if they have not diverged
            worst = best + _WORST * abs(best) if plan.estimator.n_members == 1 else np.inf
            good = (means[kept] <= worst) & np.isfinite(means[kept])
            kept = np.sort(kept[good | (kept == kept[0])])
            names = group[0].chosen
            plan.chosen = {name: [group[k].chosen[name] for k in kept] for name in names}
            plan.seeds = np.concatenate([group[k].seeds for k in kept])
            plan.splits = group[0].splits
        else:
            kept = [int(means.argmin())]
            plan.chosen = group[kept[0]].chosen
        members += [first + k * n_seeds + n for k in kept for n in range(n_seeds)]
        first += of_group.size
    return members
