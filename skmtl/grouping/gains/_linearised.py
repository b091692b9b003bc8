"""Gains of all groups from one network of all tasks, by ridge regressions on its gradients."""

from numbers import Integral, Real

from sklearn.base import clone
from sklearn.utils import check_random_state

from skmtl._sklearn_compat import Interval
from skmtl.grouping._check import FoldScores
from skmtl.grouping._data import group_data
from skmtl.grouping._linear_scores import LinearScores
from skmtl.grouping._trainer import make_trainer
from skmtl.grouping.gains._base import GainEstimate, GainEstimator


class Linearised(GainEstimator):
    r"""Estimate the gains of all groups by linear models in the gradients of one network.

    After Grad-TAG [1]_. A network of all tasks is trained briefly on each fold; for every group
    its first-order expansion is then fitted to the rows of the group, which is a ridge regression.
    Works with regressors of this package that minimise squared errors.

    Parameters
    ----------
    n_components : int, default=64
        Number of random directions in the space of the parameters along which the network may
        change; all directions if there are no more parameters.
    training : float, default=0.1
        Share of the epochs (`max_iter`) of the estimator for which the network of all tasks trains.
    alphas : tuple of float, default=(0.01, 0.1, 1.0)
        Penalties of the regressions, relative to the mean curvature of the loss of all tasks. Each
        group uses the one that is best for it on the other folds, or on the only split.

    See Also
    --------
    HighOrder : Trains all pairs, and averages them.
    Exhaustive : Trains all groups.

    Notes
    -----
    With the parameters :math:`\theta` of the network of all tasks, its gradients
    :math:`J_i = \nabla_\theta f(x_i)` along the directions and residuals :math:`e_i`, the group
    :math:`g` changes the parameters by

    .. math:: d_g = \arg\min_d \sum_{t \in g} \sum_{i \in t} (e_i - J_i^\top d)^2
       + \alpha c \lVert d \rVert^2,

    where :math:`c` is the mean eigenvalue of :math:`\sum_i J_i J_i^\top` over all tasks. The sums
    over the rows of a task serve all groups. Losses on validation rows are quadratic in
    :math:`d_g`, too.

    Departures from [1]_: directions are 64, not a few hundred; losses are on folds, and the penalty
    is chosen for each group; all candidates are estimated, not a random sample whose losses are
    averaged to affinities of pairs. A base learner of the estimator has no part in it.

    References
    ----------
    .. [1] D. Li, A. Sharma and H. R. Zhang, "Scalable multitask learning using gradient-based
       estimation of task affinity", KDD 2024, arXiv:2409.06091.

    Examples
    --------
    >>> from skmtl import MultiTaskRegressor
    >>> from skmtl.architectures import SingleNetwork
    >>> from skmtl.datasets import make_related_tasks
    >>> from skmtl.grouping import Linearised, estimate_gains, select_groups
    >>> made = make_related_tasks(4, 1.0, 8, n_groups=2, n_sines=1, n_rows=60, random_state=0)
    >>> network = MultiTaskRegressor(
    ...     SingleNetwork(hidden_layer_sizes=(16,)), task_id="task", max_iter=60, random_state=0
    ... )
    >>> procedure = Linearised().procedure(network, made.data, made.target, random_state=0)
    >>> gains = estimate_gains(procedure, 4, "linearised")
    >>> select_groups(gains, 2)
    [(0, 1), (2, 3)]
    """

    _parameter_constraints = {
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "training": [Interval(Real, 0, 1, closed="right")],
        "alphas": [tuple, list],
    }

    def __init__(self, n_components=64, training=0.1, alphas=(0.01, 0.1, 1.0)):
        self.n_components = n_components
        self.training = training
        self.alphas = alphas

    def first_groups(self, candidates):
        return candidates[:0]

    def n_procedures(self, candidates):
        return 1

    def check_procedure(self, procedure):
        folds = getattr(procedure, "__self__", None)
        if not isinstance(getattr(folds, "trainer", None), LinearScores):
            raise ValueError(
                "'linearised' estimates gains from gradients of a network, and this procedure has "
                "none: pass Linearised().procedure(estimator, X, y), or use 'hoa', 'mtgnet' or "
                "'exhaustive', which take any procedure."
            )

    def estimate(self, measurements, candidates, *, context):
        return GainEstimate(candidates, measurements(candidates))

    def scored_by(self, trainer):
        self._validate_params()
        if not len(self.alphas) or not all(alpha > 0 for alpha in self.alphas):
            raise ValueError(f"alphas must be numbers above 0, got {self.alphas!r}.")
        settings = self.n_components, self.training, tuple(self.alphas)
        return LinearScores(trainer, *settings, seed=0)

    def procedure(self, estimator, X, y, sample_weight=None, *, cv=4, random_state=None):
        """Return what estimates gains of groups of the tasks in a table, for `estimate_gains`.

        Parameters
        ----------
        estimator : estimator
            A regressor of this package. Its `task_id` says whether X is in long or in wide form.
        X, y, sample_weight : as for `TaskGrouper`
            Rows of all tasks.
        cv : int, splitter, iterable or None, default=4
            As for `TaskGrouper`.
        random_state : int, RandomState instance or None, default=None
            Decides the folds, and the random state of an estimator that has none.

        Returns
        -------
        callable
            Maps groups, a boolean array of shape (n, n_tasks) with tasks in sorted order (in wide
            form in that of the columns), to their gains.
        """
        data = group_data(X, y, sample_weight, getattr(estimator, "task_id", None))
        settings = {"cv": cv, "n_repeats": 1, "task_encoding": "onehot", "scoring": None}
        generator = check_random_state(random_state)
        trainer = make_trainer(clone(estimator), data, generator, **settings)
        return FoldScores(self.scored_by(trainer)).gains
