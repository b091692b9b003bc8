"""Preference solvers: T losses, the Gramian of their gradients and a preference in, T weights out.

They are functions without state over P preferences at a time, in double precision on the CPU.
"""

from abc import ABCMeta, abstractmethod

import numpy as np
from scipy.optimize import linprog

from skmtl._persistence import saveable
from skmtl.weighting._mgda import root, shortest_of

# lower bound of a weight, relative to the largest one, before its reciprocal is computed
SMALLEST_SHARE = 0.01
# largest non-uniformity at which EPO descends instead of balancing the losses
_BALANCED = 1e-4


def normalised(values):
    """Scale values to sum 1 along the last axis."""
    return values / values.sum(axis=-1, keepdims=True)


def of_equal_size(weights):
    """Scale T weights along the last axis so that their absolute values sum to T; zeros stay.

    Absolute values, since the sum of the weights may be zero or negative.
    """
    size = np.abs(weights).sum(axis=-1, keepdims=True)
    return weights * weights.shape[-1] / np.where(size > 0, size, 1.0)


def reciprocal(preferences):
    """Turn weights on losses (..., T) into a direction in the space of losses, and back.

    The result is ``1 / max(r, 0.01 max(r))``, scaled to sum 1.
    """
    largest = preferences.max(axis=-1, keepdims=True)
    # divide first: the reciprocals of very small weights would not be finite
    return normalised(1 / np.maximum(preferences / largest, SMALLEST_SHARE))


@saveable
class PreferenceSolver(metaclass=ABCMeta):
    """Base class of preference solvers; `_solve` of a subclass may assume finite losses."""

    needs_gramian = False

    @staticmethod
    def rays(preferences):
        """Turn preferences (..., T) into rays of sum 1, in the form that the solver needs.

        A larger preference for a task means a lower loss.
        """
        return normalised(preferences / preferences.max(axis=-1, keepdims=True))

    def preferences(self, rays):
        """Turn rays back into preferences."""
        return self.rays(rays)

    def limited(self, rays):
        """Limit random rays to the range of `rays`."""
        return rays

    def weights(self, losses, gramian, rays, present=None, generator=None):
        """Return weights (P, T) of non-negative losses (P, T) for rays (P, T).

        `gramian` has shape (P, T, T) or is None. Tasks that are not `present` (T,) have weight 0.
        Solvers that draw random numbers use the numpy generator.
        """
        if present is None or present.all():
            return self._solve_finite(losses, gramian, rays, generator)
        weights = np.zeros(losses.shape)
        tasks = np.flatnonzero(present)
        if len(tasks):
            if gramian is not None:
                gramian = gramian[:, tasks[:, None], tasks]
            rays = normalised(np.maximum(rays[:, tasks], np.finfo(float).tiny))
            weights[:, tasks] = self._solve_finite(losses[:, tasks], gramian, rays, generator)
        return weights

    def _solve_finite(self, losses, gramian, rays, generator):
        """Solve where all inputs are finite; elsewhere, the ray itself is the weights."""
        finite = np.isfinite(losses).all(axis=-1)
        if gramian is not None:
            finite &= np.isfinite(gramian).all(axis=(-2, -1))
        if finite.all():
            return self._solve(losses, gramian, rays, generator)
        weights = rays.copy()
        if finite.any():
            gramian = None if gramian is None else gramian[finite]
            weights[finite] = self._solve(losses[finite], gramian, rays[finite], generator)
        return weights

    @abstractmethod
    def _solve(self, losses, gramian, rays, generator):
        """Return weights of shape (P, T)."""


class LinearSolver(PreferenceSolver):
    """Minimise ``sum_i r_i L_i``, which cannot reach concave parts of a front."""

    def _solve(self, losses, gramian, rays, generator):
        return rays


class ChebyshevSolver(PreferenceSolver):
    """Minimise ``max_i r_i L_i``; tasks that tie for the maximum have equal shares."""

    def _solve(self, losses, gramian, rays, generator):
        products = rays * losses
        largest = products >= products.max(axis=-1, keepdims=True) * (1 - 1e-12)
        return rays * largest / largest.sum(axis=-1, keepdims=True)


class ParetoSolver(PreferenceSolver):
    """Follow the shortest vector in the convex hull of the gradients of losses and constraints.

    The vector of losses must have a smaller angle to the preference p than to any reference vector
    u: the constraints ``G_j = (u_j - p)^T L <= 0`` are active where ``G_j >= 0``. With multipliers
    lambda of the losses and beta of the active constraints, which sum to 1 in total, the direction
    is ``sum_i alpha_i g_i``, ``alpha_i = lambda_i + sum_j beta_j (u_ji - p_i)``: section 4 and
    appendix A of "Controllable Pareto multi-task learning" (Lin, Yang, Zhang and Kwong, 2020).

    Parameters
    ----------
    n_reference_vectors : int
        Number of reference vectors, drawn uniformly for every preference at each step.
    restoration : float
        Share of the steps that use the active constraints only, and may increase losses: otherwise
        nothing moves along the front once it has been reached. The published code of Pareto MTL
        begins with a phase of such steps, a fifth of all. No such step is made where a loss is
        above 1, that of the best constant, since the region of a preference may be out of reach.
    """

    needs_gramian = True

    def __init__(self, n_reference_vectors=10, restoration=0.2):
        self.n_reference_vectors = n_reference_vectors
        self.restoration = restoration

    @staticmethod
    def rays(preferences):
        return reciprocal(preferences)

    def limited(self, rays):
        return reciprocal(reciprocal(rays))

    def _solve(self, losses, gramian, rays, generator):
        references = generator.dirichlet(
            np.ones(losses.shape[-1]), size=(len(losses), self.n_reference_vectors)
        )
        restoring = None
        if self.restoration:
            restoring = generator.random(len(losses)) < self.restoration
            restoring &= losses.max(axis=-1) <= 1
        return pareto_weights(losses, gramian, rays, references, restoring)


def unit(vectors):
    """Scale vectors along the last axis to length 1."""
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def pareto_weights(losses, gramian, rays, references, restoring=None):
    """Return weights alpha (P, T) of the losses (P, T), see `ParetoSolver`.

    Rays p (P, T) and reference vectors u (P, K, T) may have any length. Where `restoring` (P,) is
    true, only the active constraints count, if there are any.
    """
    n_tasks = losses.shape[-1]
    # G_j = (u_j - p)^T L, and its gradient in terms of those of the losses
    constraints = unit(references) - unit(rays)[:, None]
    active = np.einsum("pjt,pt->pj", constraints, losses) >= 0
    scale = np.einsum("ptt->pt", gramian).max(axis=-1)
    weights = np.full(losses.shape, 1 / n_tasks)
    # in one call: many small problems cost more in calls than in arithmetic
    roots = root(gramian / np.where(scale > 0, scale, 1.0)[:, None, None])
    for k in np.flatnonzero(scale > 0):
        objectives = constraints[k, active[k]]
        if restoring is None or not restoring[k] or not len(objectives):
            objectives = np.vstack([np.eye(n_tasks), objectives])
        multipliers = shortest_of(roots[k] @ objectives.T)
        weights[k] = multipliers @ objectives
    return weights


class EPOSolver(PreferenceSolver):
    """Make all ``r_i L_i`` equal by a linear program (exact Pareto optimal search, EPO).

    The method is that of Mahapatra and Rajan, "Multi-task learning with user preferences: gradient
    descent with controlled ascent in Pareto optimization", ICML 2020, as used by Navon et al.,
    "Learning the Pareto front with hypernetworks", ICLR 2021. Weights sum to T.
    """

    needs_gramian = True

    def _solve(self, losses, gramian, rays, generator):
        rows = zip(losses, gramian, rays, strict=True)
        return np.stack([epo_weights(*row) for row in rows])


def epo_program(losses, gramian, ray):
    """Return the linear program of one EPO step as arguments of `scipy.optimize.linprog`.

    The program is ``min c^T x`` subject to ``A_ub x <= b_ub``, with x on the simplex; None if all
    losses are zero. `losses` and `ray` have shape (T,).
    """
    n_tasks = len(losses)
    weighted = ray * losses
    if not weighted.sum() > 0:
        return None
    shares = weighted / weighted.sum()
    # 0 log 0 = 0
    logs = np.log(n_tasks * np.maximum(shares, np.finfo(float).tiny))
    imbalance = shares @ logs
    anchor = gramian @ (ray * (logs - imbalance))
    if imbalance > _BALANCED:
        decreasing = anchor > 0
        bound = np.zeros(n_tasks)
        if decreasing.any():
            bound = np.where(decreasing, -np.inf, anchor)
            bound[weighted.argmax()] = 0.0
        kept = np.isfinite(bound)
        return {"c": -anchor, "A_ub": -gramian[kept], "b_ub": -bound[kept]}
    least = -max(0.0, -anchor.max())
    return {
        "c": -gramian.sum(axis=0),
        "A_ub": -np.vstack([gramian, anchor]),
        "b_ub": np.r_[np.zeros(n_tasks), -least],
    }


def epo_weights(losses, gramian, ray):
    """Return weights (T,) of one EPO step, which sum to T; the ray where there is no solution."""
    n_tasks, scale = len(losses), gramian.diagonal().max()
    program = epo_program(losses, gramian / scale, ray) if scale > 0 else None
    if program is not None:
        result = linprog(**program, A_eq=np.ones((1, n_tasks)), b_eq=[1.0], method="highs")
        if result.success:
            return n_tasks * result.x
    return n_tasks * normalised(ray)


SOLVERS = {
    "linear": LinearSolver,
    "pareto": ParetoSolver,
    "chebyshev": ChebyshevSolver,
    "epo": EPOSolver,
}
