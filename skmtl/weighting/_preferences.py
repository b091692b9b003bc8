"""Solvers: T losses, the Gramian of their gradients and a preference in, T weights out.

Pure functions over leading axes (members, preferences), in double precision on the CPU.
"""

from abc import ABCMeta, abstractmethod

import numpy as np
from scipy.optimize import linprog

from skmtl.weighting._mgda import root, shortest_of

# of the largest weight: what a smaller one counts as, where its reciprocal is needed
SMALLEST_SHARE = 0.01
# non-uniformity up to which EPO descends instead of balancing
_BALANCED = 1e-4


def normalised(values):
    """Divide numbers along the last axis by their sum."""
    return values / values.sum(axis=-1, keepdims=True)


def of_equal_size(weights):
    """Scale T weights along the last axis so that their absolute values have sum T; zeros stay.

    Their plain sum may be zero or negative.
    """
    size = np.abs(weights).sum(axis=-1, keepdims=True)
    return weights * weights.shape[-1] / np.where(size > 0, size, 1.0)


def reciprocal(preferences):
    """Turn weights on losses (..., T) into a direction of losses, and back.

    The result is ``1 / max(r, 0.01 max(r))``, scaled to sum 1.
    """
    largest = preferences.max(axis=-1, keepdims=True)
    # divided first: reciprocals of the smallest numbers would not be finite
    return normalised(1 / np.maximum(preferences / largest, SMALLEST_SHARE))


class PreferenceSolver(metaclass=ABCMeta):
    """Base class of solvers; a subclass implements `_solve` for tasks that all have a loss."""

    needs_gramian = False

    @staticmethod
    def rays(preferences):
        """Turn preferences (..., T) into the rays that the solver follows, of sum 1.

        More weight on a task means a lower loss of it.
        """
        return normalised(preferences / preferences.max(axis=-1, keepdims=True))

    def preferences(self, rays):
        """Turn rays into preferences."""
        return self.rays(rays)

    def limited(self, rays):
        """Limit random rays to those that preferences can have."""
        return rays

    def weights(self, losses, gramian, rays, present=None, generator=None):
        """Return weights (P, T) of non-negative losses (P, T) for rays (P, T).

        `gramian` has shape (P, T, T) or is None. Tasks that are not `present` (T,) get 0. Solvers
        that draw use the numpy generator.
        """
        if present is None or present.all():
            return self._safe(losses, gramian, rays, generator)
        weights = np.zeros(losses.shape)
        some = np.flatnonzero(present)
        if len(some):
            if gramian is not None:
                gramian = gramian[:, some[:, None], some]
            own = np.maximum(rays[:, some], np.finfo(float).tiny)
            weights[:, some] = self._safe(losses[:, some], gramian, normalised(own), generator)
        return weights

    def _safe(self, losses, gramian, rays, generator):
        """Solve where numbers are finite; the ray is the weight of a member that diverges."""
        sound = np.isfinite(losses).all(axis=-1)
        if gramian is not None:
            sound &= np.isfinite(gramian).all(axis=(-2, -1))
        if sound.all():
            return self._solve(losses, gramian, rays, generator)
        weights = rays.copy()
        if sound.any():
            some = None if gramian is None else gramian[sound]
            weights[sound] = self._solve(losses[sound], some, rays[sound], generator)
        return weights

    @abstractmethod
    def _solve(self, losses, gramian, rays, generator):
        """Return weights of shape (P, T)."""


class LinearSolver(PreferenceSolver):
    """Minimise ``sum_i r_i L_i``, which cannot reach concave parts of a front."""

    def _solve(self, losses, gramian, rays, generator):
        return rays


class ChebyshevSolver(PreferenceSolver):
    """Minimise ``max_i r_i L_i``, giving ties equal shares."""

    def _solve(self, losses, gramian, rays, generator):
        products = rays * losses
        largest = products >= products.max(axis=-1, keepdims=True) * (1 - 1e-12)
        return rays * largest / largest.sum(axis=-1, keepdims=True)


class ParetoSolver(PreferenceSolver):
    """The shortest vector in the hull of the gradients of losses and of active constraints.

    Losses are to be nearer to the preference p, in angle, than to any reference vector u: the
    constraints ``G_j = (u_j - p)^T L <= 0`` are active where ``G_j >= 0``. With multipliers lambda
    and beta of the two kinds, which sum up to 1 together, the direction is ``sum_i alpha_i g_i``,
    ``alpha_i = lambda_i + sum_j beta_j (u_ji - p_i)``: section 4 and appendix A of "Controllable
    Pareto multi-task learning" (Lin, Yang, Zhang and Kwong, 2020).

    Parameters
    ----------
    n_reference_vectors : int
        Drawn anew for every preference and step, uniformly.
    restoration : float
        Share of the steps of a preference that look at active constraints alone, and may raise
        losses: otherwise nothing moves along the front once it is reached. The code of Pareto MTL
        has a first phase of such steps, a fifth of all. Not where a loss is above 1, that of the
        best constant: a region may be out of reach.
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
        restored = None
        if self.restoration:
            restored = generator.random(len(losses)) < self.restoration
            restored &= losses.max(axis=-1) <= 1
        return pareto_weights(losses, gramian, rays, references, restored)


def unit(vectors):
    """Scale vectors along the last axis to length 1."""
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def pareto_weights(losses, gramian, rays, references, restored=None):
    """Return weights alpha (P, T) of the losses (P, T), see `ParetoSolver`.

    Rays p (P, T) and reference vectors u (P, K, T) have any length. Where `restored` (P,), only the
    active constraints count, if there are any.
    """
    n_tasks = losses.shape[-1]
    # G_j = (u_j - p)^T L, and its gradient in terms of those of the losses
    constraints = unit(references) - unit(rays)[:, None]
    active = np.einsum("pjt,pt->pj", constraints, losses) >= 0
    scale = np.einsum("ptt->pt", gramian).max(axis=-1)
    weights = np.full(losses.shape, 1 / n_tasks)
    # all at once: many small problems cost more in calls than in arithmetic
    roots = root(gramian / np.where(scale > 0, scale, 1.0)[:, None, None])
    for k in np.flatnonzero(scale > 0):
        parts = constraints[k, active[k]]
        if restored is None or not restored[k] or not len(parts):
            parts = np.vstack([np.eye(n_tasks), parts])
        multipliers = shortest_of(roots[k] @ parts.T)
        weights[k] = multipliers @ parts
    return weights


class EPOSolver(PreferenceSolver):
    """Exact Pareto optimal search: equal ``r_i L_i`` for all tasks, by a linear program.

    Mahapatra and Rajan, "Multi-task learning with user preferences: gradient descent with
    controlled ascent in Pareto optimization", ICML 2020, as in Navon et al., "Learning the Pareto
    front with hypernetworks", ICLR 2021. Weights have sum T.
    """

    needs_gramian = True

    def _solve(self, losses, gramian, rays, generator):
        rows = zip(losses, gramian, rays, strict=True)
        return np.stack([epo_weights(*row) for row in rows])


def epo_program(losses, gramian, ray):
    """Return the linear program of one EPO step as arguments of `scipy.optimize.linprog`.

    It is ``min c^T x``, ``A_ub x <= b_ub``, x on the simplex; None if all losses are zero. `losses`
    and `ray` have shape (T,).
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
        falling = anchor > 0
        bound = np.zeros(n_tasks)
        if falling.any():
            bound = np.where(falling, -np.inf, anchor)
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
    """Return weights (T,) of one EPO step, of sum T; the ray where there is no solution."""
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
