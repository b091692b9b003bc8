"""Beam search, the paper's selection among many groups: it adds the group that raises gains most.

Source: Song et al., "Efficient and effective multi-task grouping via meta learning on task
combinations", section 3.1 and appendix; details as in the published code.
"""

import numpy as np


def beam_search(values, max_groups, costs=None, max_cost=None, n_beams=5):
    """Return the rows that beam search chooses; None if no beam serves every task."""
    # fill values such that serving one more task outweighs all gains
    span = np.nanmax(values) - np.nanmin(values) + 1.0
    filled = np.where(np.isnan(values), np.nanmin(values) - span * (values.shape[1] + 1), values)
    costs = np.zeros(len(values)) if costs is None else costs
    max_cost = np.inf if max_cost is None else max_cost
    affordable = np.flatnonzero(costs <= max_cost)
    first = affordable[np.argsort(-filled[affordable].sum(axis=1), kind="stable")[:n_beams]]
    results = []
    for seed in first.tolist():
        chosen, best, spent = [seed], filled[seed], costs[seed]
        while len(chosen) < max_groups:
            rise = np.maximum(filled - best, 0).sum(axis=1)
            rise[spent + costs > max_cost] = 0
            added = int(rise.argmax())
            if rise[added] <= 0:
                break
            chosen.append(added)
            best, spent = np.maximum(best, filled[added]), spent + costs[added]
        if ~np.isnan(values[chosen]).all(axis=0).any():
            results.append((best.sum(), -len(chosen), chosen))
    if not results:
        return None
    return max(results, key=lambda result: result[:2])[2]
