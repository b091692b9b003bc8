"""`MTGNet`: predicts the gains of groups that were never trained from those of a few that were."""

from numbers import Integral, Real

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from skmtl.grouping._meta_training import train_members
from skmtl.grouping._networks import as_tensor, encodings_of, held_out_in_turn, outputs_of, trust
from skmtl.grouping._pairwise import PairwiseProcess
from skmtl.grouping._task_facts import TaskFacts
from skmtl.nn._set_attention import SetAttention
from skmtl.training._device import one_thread

# below this networks cannot be tested on groups that they have not seen, and stay silent
_FEWEST_GROUPS = 16


class MTGNet(BaseEstimator):
    r"""Predict the gain of every task in any group, by attention over the tasks in the group.

    Trained on groups whose gains were measured. It is the meta learner of the paper; by default
    several networks are averaged, and they learn only what a simple model of pairs leaves over.

    Parameters
    ----------
    embedding_dim : int, default=64
        Length of the embedding of a task, and width of the network.
    n_layers : int, default=2
        Layers of self-attention.
    n_members : int, default=4
        Networks that train side by side and are averaged.
    baseline : {"pairwise", "none"}, default="pairwise"
        What the networks start from: a Gaussian process over pairs of a task and its partners, in
        which the mean over partners is the linear part, or nothing, as in the paper.
    loss : {"squared_error", "absolute_error"}, default="squared_error"
        What training minimises, over the tasks in the measured groups.
    learning_rate_init : float, default=7e-3
        Learning rate of Adam.
    alpha : float, default=5e-4
        Decoupled weight decay.
    max_iter : int, default=50
        Steps at most, with all measured groups or `batch_size` of them.
    n_iter_no_change : int, default=20
        Steps without a lower training loss after which training stops.
    batch_size : int, default=64
        Groups in a step at most.
    acquisition : {"upper_bound", "sample", "largest", "extremes", "random"}, default="upper_bound"
        Which group is measured next for a task, among those that it is in: the one whose
        gain may be largest, the prediction plus `exploration` standard deviations; one drawn with
        the probability :math:`e^{\alpha |\hat y|}` as in the paper; the largest absolute
        prediction, or in turn that and the smallest, as in the published code; or any.
    exploration : float, default=0.5
        Standard deviations of ``acquisition="upper_bound"``.
    verification : float, default=0.5
        Share of the measurements, the last ones, that go to groups which would be selected now,
        whatever `acquisition` is, so that a choice does not rest on predictions that are too good;
        0 as in the paper.
    sharpness : float, default=25.0
        The :math:`\alpha` of ``acquisition="sample"``.
    start : {"full", "singletons"}, default="full"
        What is known before the first group is chosen: the group of all tasks, or that and each
        task alone, whose gain is 0. The default baseline always knows the latter.
    random_state : int, RandomState instance or None, default=None
        Decides initial weights and what is drawn.

    Attributes
    ----------
    n_tasks_ : int
        Columns of the gains seen in ``fit``.
    module_ : torch.nn.Module
        The networks.
    scale_ : float
        Gains are divided by this for training.
    trust_ : float
        What the networks say is multiplied by this before it is added to the baseline: how far they
        predict what it misses of groups that they have not seen. 0 with fewer than 16 groups, of
        which nothing can be said about that.

    See Also
    --------
    estimate_gains : Chooses what to measure, and fills a table.

    Notes
    -----
    Embeddings :math:`x_t` of the tasks :math:`t` in a group pass through layers of self-attention,
    :math:`H = \mathrm{SelfAttEnc}(X)`, and :math:`\hat y_t = h_t^\top w + b` (section 3.3). With
    metadata an embedding is computed from the facts about its task, so that gains with a task
    that was never in a group can be predicted; the paper leaves that to future work. The
    baseline, the average of networks and ``acquisition="upper_bound"`` are not in the paper
    either: `paper` and `released` return what is.

    References
    ----------
    .. [1] X. Song, S. Zheng, W. Cao, J. Yu and J. Bian, "Efficient and effective multi-task
       grouping via meta learning on task combinations", NeurIPS 2022, sections 3.2 to 3.4.

    Examples
    --------
    >>> import numpy as np
    >>> from skmtl.grouping import MTGNet
    >>> groups = np.array([[1, 1, 0], [1, 0, 1], [0, 1, 1]], dtype=bool)
    >>> gains = np.array([[0.2, 0.2, np.nan], [-0.1, np.nan, -0.1], [np.nan, -0.1, -0.1]])
    >>> net = MTGNet(random_state=0).fit(groups, gains)
    >>> net.predict([[True, True, True]]).shape
    (1, 3)
    """

    _parameter_constraints = {
        "embedding_dim": [Interval(Integral, 1, None, closed="left")],
        "n_layers": [Interval(Integral, 1, None, closed="left")],
        "n_members": [Interval(Integral, 1, None, closed="left")],
        "baseline": [StrOptions({"pairwise", "none"})],
        "loss": [StrOptions({"squared_error", "absolute_error"})],
        "learning_rate_init": [Interval(Real, 0, None, closed="neither")],
        "alpha": [Interval(Real, 0, None, closed="left")],
        "max_iter": [Interval(Integral, 0, None, closed="left")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "acquisition": [StrOptions({"upper_bound", "sample", "largest", "extremes", "random"})],
        "exploration": [Interval(Real, 0, None, closed="left")],
        "verification": [Interval(Real, 0, 1, closed="both")],
        "sharpness": [Interval(Real, 0, None, closed="left")],
        "start": [StrOptions({"full", "singletons"})],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        *,
        embedding_dim=64,
        n_layers=2,
        n_members=4,
        baseline="pairwise",
        loss="squared_error",
        learning_rate_init=7e-3,
        alpha=5e-4,
        max_iter=50,
        n_iter_no_change=20,
        batch_size=64,
        acquisition="upper_bound",
        exploration=0.5,
        verification=0.5,
        sharpness=25.0,
        start="full",
        random_state=None,
    ):
        self.embedding_dim = embedding_dim
        self.n_layers = n_layers
        self.n_members = n_members
        self.baseline = baseline
        self.loss = loss
        self.learning_rate_init = learning_rate_init
        self.alpha = alpha
        self.max_iter = max_iter
        self.n_iter_no_change = n_iter_no_change
        self.batch_size = batch_size
        self.acquisition = acquisition
        self.exploration = exploration
        self.verification = verification
        self.sharpness = sharpness
        self.start = start
        self.random_state = random_state

    @classmethod
    def paper(cls, **parameters):
        """Return an estimator with the settings of the paper.

        Parameters
        ----------
        **parameters : dict
            Others.

        Returns
        -------
        MTGNet
            One network without a baseline, whose groups are drawn by Algorithm 1.
        """
        settings = {
            "n_members": 1,
            "baseline": "none",
            "acquisition": "sample",
            "verification": 0.0,
            "max_iter": 2000,
            "n_iter_no_change": 50,
            "batch_size": 25_000,
        }
        return cls(**{**settings, **parameters})

    @classmethod
    def released(cls, **parameters):
        """Return an estimator with the settings of the published code.

        Parameters
        ----------
        **parameters : dict
            Others.

        Returns
        -------
        MTGNet
            As `paper`, with absolute errors, tasks alone in the first groups, and the largest
            absolute prediction measured next.
        """
        settings = {
            "loss": "absolute_error",
            "acquisition": "largest",
            "start": "singletons",
            "max_iter": 10_000,
            "n_iter_no_change": 5,
        }
        return cls.paper(**{**settings, **parameters})

    def fit(self, groups, gains, metadata=None):
        """Learn from groups whose gains were measured.

        Parameters
        ----------
        groups : array-like of shape (n, n_tasks) of bool
            Groups.
        gains : array-like of shape (n, n_tasks)
            Gains; those of tasks outside a group are not read.
        metadata : array-like of shape (n_tasks, n_metadata), optional
            Facts about the tasks, from which embeddings are computed.

        Returns
        -------
        self
            The fitted estimator.
        """
        self._validate_params()
        groups, gains = _check_groups(groups), np.asarray(gains, dtype=np.float64)
        if gains.shape != groups.shape:
            raise ValueError(f"gains has the shape {gains.shape}, but groups {groups.shape}.")
        if not np.isfinite(gains[groups]).all():
            raise ValueError("gains must be finite for every task in a group.")
        seeds = check_random_state(self.random_state).randint(
            np.iinfo(np.int32).max, size=self.n_members
        )
        self.n_tasks_ = groups.shape[1]
        self._facts = None if metadata is None else TaskFacts(metadata, self.n_tasks_)
        kept = groups.any(axis=1)
        if self.baseline == "pairwise":
            # the gain of a task alone is 0, which the baseline knows
            kept &= groups.sum(axis=1) > 1
        groups, gains = groups[kept], np.where(groups, gains, np.nan)[kept]
        self.process_, self.scale_ = None, 1.0
        wanted = gains
        if self.baseline == "pairwise":
            similarity = np.eye(self.n_tasks_)
            if self._facts is not None:
                similarity = self._facts.similarity(self._facts.values)
            self.process_ = PairwiseProcess(similarity).fit(groups, gains)
            self.scale_ = self.process_.scale
            wanted = self.process_.left_out(gains)
        with one_thread():
            self._train(groups, wanted / self.scale_, seeds)
        return self

    def _train(self, groups, wanted, seeds):
        """Minimise the loss over the tasks in the groups."""
        beside_baseline = self.baseline == "pairwise"
        facts = self._values_of_facts()
        module = SetAttention(
            self.n_tasks_,
            self.embedding_dim,
            self.n_layers,
            seeds,
            n_metadata=0 if facts is None else facts.shape[1],
            zero_start=beside_baseline,
        )
        self.module_, self.trust_ = module, float(not beside_baseline)
        few = beside_baseline and len(groups) < _FEWEST_GROUPS
        if few or not len(groups) or not self.max_iter:
            return
        shares = np.ones((self.n_members, len(groups)), dtype=bool)
        if beside_baseline:
            # to be tested on what each has not seen
            shares = held_out_in_turn(*shares.shape)
        wanted = np.nan_to_num(wanted)
        train_members(
            module,
            torch.from_numpy(groups),
            torch.as_tensor(wanted, dtype=torch.get_default_dtype()),
            torch.from_numpy(shares),
            as_tensor(facts),
            squared=self.loss == "squared_error",
            learning_rate=self.learning_rate_init,
            weight_decay=self.alpha,
            max_steps=self.max_iter,
            patience=self.n_iter_no_change,
            batch_size=self.batch_size,
        )
        if not shares.all():
            self.trust_ = trust(outputs_of(module, groups, facts), wanted, groups, shares)

    def _values_of_facts(self, metadata=None):
        """Facts of the tasks of ``fit``, or of more tasks than these; None without metadata."""
        if metadata is None:
            return None if self._facts is None else self._facts.values
        if self._facts is None:
            raise ValueError("fit saw no metadata, so that predictions cannot use any.")
        return self._facts.of(metadata)

    def predict(self, groups, return_std=False, metadata=None):
        """Predict the gains of groups.

        Parameters
        ----------
        groups : array-like of shape (n, n_tasks) of bool
            Groups.
        return_std : bool, default=False
            Whether to return how unsure the prediction is, too.
        metadata : array-like of shape (n_tasks or more, n_metadata), optional
            Facts about the tasks of ``fit``, and about further ones that groups may have, too.

        Returns
        -------
        gains : ndarray of shape (n, n_tasks)
            NaN outside the groups.
        std : ndarray of shape (n, n_tasks)
            Standard deviations, if `return_std` is True: of the networks and of the baseline.
        """
        check_is_fitted(self, "module_")
        facts = self._values_of_facts(metadata)
        groups = _check_groups(groups, self.n_tasks_ if facts is None else len(facts))
        members = self.scale_ * self.trust_ * outputs_of(self.module_, groups, facts)
        mean, variance = members.mean(axis=0), members.var(axis=0)
        if self.process_ is not None:
            similarity = None if facts is None else self._facts.similarity(facts)
            prior, deviation = self.process_.predict(groups, similarity)
            mean, variance = mean + prior, variance + deviation**2
            alone = groups.sum(axis=1) == 1
            mean[alone], variance[alone] = 0.0, 0.0
        mean = np.where(groups, mean, np.nan)
        return (mean, np.where(groups, np.sqrt(variance), np.nan)) if return_std else mean

    def encode(self, groups):
        """Encode the tasks of groups, as seen by the first network (the paper's figure 4).

        Parameters
        ----------
        groups : array-like of shape (n, n_tasks) of bool
            Groups.

        Returns
        -------
        ndarray of shape (n, n_tasks, embedding_dim)
            NaN outside the groups.
        """
        check_is_fitted(self, "module_")
        groups = _check_groups(groups, self.n_tasks_)
        encoded = encodings_of(self.module_, groups, self._values_of_facts())
        return np.where(groups[:, :, None], encoded, np.nan)


def _check_groups(groups, n_tasks=None):
    groups = np.asarray(groups)
    if groups.ndim != 2 or groups.dtype != np.bool_:
        raise ValueError(
            f"groups must be a boolean array of shape (n, n_tasks), got {groups.dtype} of shape "
            f"{groups.shape}."
        )
    if n_tasks is not None and groups.shape[1] != n_tasks:
        raise ValueError(f"groups has {groups.shape[1]} tasks, but fit saw {n_tasks}.")
    if not groups.any(axis=1).all():
        raise ValueError("a group has no task at all.")
    return groups
