"""`MTGNet`: predict the gains of all groups from those of a few that were trained."""

from numbers import Integral, Real

import numpy as np
from sklearn.base import clone
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from skmtl._sklearn_compat import Interval, StrOptions
from skmtl.grouping.gains._base import GainEstimate, GainEstimator
from skmtl.grouping.mtgnet._active import measure_actively, n_to_measure
from skmtl.grouping.mtgnet._inputs import TaskMetadata, check_groups, check_measured
from skmtl.grouping.mtgnet._networks import encodings_of, outputs_of, train_networks
from skmtl.grouping.mtgnet._pairwise import PairwiseProcess


class MTGNet(GainEstimator):
    r"""Predict the gain of every task in any group, by attention over the tasks in the group.

    The meta learner of [1]_, trained on groups whose gains were measured. By default several
    networks are averaged, and they learn only what a simple model of pairs misses.

    Parameters
    ----------
    embedding_dim : int, default=64
        Length of the embedding of a task, and width of the network.
    n_layers : int, default=2
        Number of layers of self-attention.
    n_members : int, default=4
        Number of networks, which train in parallel and whose outputs are averaged.
    baseline : {"pairwise", "none"}, default="pairwise"
        What the networks add to: a Gaussian process over a task and its partners, or nothing, as
        in the paper.
    loss : {"squared_error", "absolute_error"}, default="squared_error"
        What training minimises, over the tasks in the measured groups.
    learning_rate_init : float, default=7e-3
        Learning rate of Adam.
    alpha : float, default=5e-4
        Decoupled weight decay.
    max_iter : int, default=50
        Largest number of steps, each with all measured groups or `batch_size` of them.
    n_iter_no_change : int, default=20
        Number of steps without a lower training loss after which training stops.
    batch_size : int, default=64
        Largest number of groups in a step.
    rounds : int, default=None
        Rounds of active learning, in each of which one group is measured for every task. By default
        (n_tasks - 1) / 2, so that as many groups are measured as there are pairs.
    acquisition : {"upper_bound", "sample", "largest", "extremes", "random"}, default="upper_bound"
        Which of the groups with a task is measured next: the one with the largest predicted gain
        plus `exploration` standard deviations; one drawn in proportion to
        :math:`e^{\alpha |\hat y|}`, as in the paper; the one with the largest absolute prediction,
        or alternately that and the smallest, as in the published code; or a random one.
    exploration : float, default=0.5
        Number of standard deviations in ``acquisition="upper_bound"``.
    verification : float, default=0.5
        Share of the measurements, at the end, that verify groups which would be selected at that
        point, so that the selection does not rely on predictions that are too large. 0 in the
        paper.
    sharpness : float, default=25.0
        The :math:`\alpha` of ``acquisition="sample"``.
    start : {"full", "singletons"}, default="full"
        Gains that are known before the first group is chosen: those of the group of all tasks, or
        also those of each task alone, which are 0. The default baseline always uses the latter.
    random_state : int, RandomState instance or None, default=None
        Determines the initial weights. By default it is drawn in `estimate`.

    Attributes
    ----------
    n_tasks_ : int
        Number of tasks seen in ``fit``.
    module_ : torch.nn.Module
        The networks.
    scale_ : float
        Divisor of the gains in training.
    trust_ : float
        Factor of the outputs of the networks, estimated from how well they predict errors of the
        baseline on held-out groups. It is 0 with fewer than 16 groups, too few to estimate it.

    See Also
    --------
    estimate_gains : Measures groups and predicts the others.
    HighOrder : Averages measured gains of pairs.

    Notes
    -----
    Embeddings :math:`x_t` of the tasks :math:`t` in a group pass through layers of self-attention,
    :math:`H = \mathrm{SelfAttEnc}(X)`, and :math:`\hat y_t = h_t^\top w + b` (section 3.3). With
    metadata an embedding is computed from the metadata of the task, so that gains with a new task
    can be predicted; the paper leaves that to future work. The baseline, the average of networks,
    verification and ``acquisition="upper_bound"`` are not in the paper either: `paper` and
    `released` return its settings.

    `estimate` follows Algorithm 1: it starts from the group of all tasks, and in each round and for
    each task it measures one more group with that task, chosen by the predictions. MTG-Net is
    trained again after each group until n_tasks + 1 groups are known, then once a round.

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
        "rounds": [Interval(Integral, 0, None, closed="left"), None],
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
        rounds=None,
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
        self.rounds = rounds
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
            Further parameters; they take precedence.

        Returns
        -------
        MTGNet
            One network without a baseline, whose groups are drawn as in Algorithm 1.
        """
        chosen = {"n_members": 1, "baseline": "none", "acquisition": "sample", "verification": 0.0}
        training = {"max_iter": 2000, "n_iter_no_change": 50, "batch_size": 25_000}
        return cls(**{**chosen, **training, **parameters})

    @classmethod
    def released(cls, **parameters):
        """Return an estimator with the settings of the published code.

        Parameters
        ----------
        **parameters : dict
            Further parameters; they take precedence.

        Returns
        -------
        MTGNet
            As `paper`, with absolute errors, tasks alone among the first groups, and the group with
            the largest absolute prediction measured next.
        """
        chosen = {"loss": "absolute_error", "acquisition": "largest", "start": "singletons"}
        training = {"max_iter": 10_000, "n_iter_no_change": 5}
        return cls.paper(**{**chosen, **training, **parameters})

    def n_procedures(self, candidates):
        n_tasks, sizes = candidates.shape[1], candidates.sum(axis=1)
        left = int(((sizes > 1) & (sizes < n_tasks)).sum())
        return n_tasks + 1 + min(left, n_to_measure(n_tasks, self.rounds))

    def estimate(self, measurements, candidates, *, context):
        net = clone(self)
        net._validate_params()
        seed = context.random_state.randint(np.iinfo(np.int32).max)
        if net.random_state is None:
            net.set_params(random_state=seed)
        predicted = measure_actively(net, measurements, candidates, context)
        return GainEstimate(candidates, measurements.merged(candidates, predicted), net)

    def fit(self, groups, gains, metadata=None):
        """Learn from groups whose gains were measured.

        Parameters
        ----------
        groups, gains : array-likes of shape (n, n_tasks)
            Boolean groups, and their gains; values outside the groups are ignored.
        metadata : array-like of shape (n_tasks, n_metadata), optional
            Features of the tasks, from which embeddings are computed.

        Returns
        -------
        self
            The fitted estimator.
        """
        self._validate_params()
        groups, gains = check_measured(groups, gains)
        seeds = check_random_state(self.random_state).randint(
            np.iinfo(np.int32).max, size=self.n_members
        )
        self.n_tasks_ = groups.shape[1]
        self._metadata = None if metadata is None else TaskMetadata(metadata, self.n_tasks_)
        values = self._metadata_values()
        self.process_, self.scale_, targets = None, 1.0, gains
        if self.baseline == "pairwise":
            # the baseline knows that a task alone gains 0
            several = groups.sum(axis=1) > 1
            groups, gains = groups[several], gains[several]
            similarity = np.eye(self.n_tasks_)
            if values is not None:
                similarity = self._metadata.similarity(values)
            self.process_ = PairwiseProcess(similarity).fit(groups, gains)
            self.scale_ = self.process_.scale
            targets = self.process_.held_out_errors(gains)
        targets = np.nan_to_num(targets / self.scale_)
        self.module_, self.trust_ = train_networks(self, groups, targets, values, seeds)
        return self

    def _metadata_values(self, metadata=None):
        """Return standardised metadata of the tasks of ``fit`` or of more tasks, or None."""
        if metadata is None:
            return None if self._metadata is None else self._metadata.values
        if self._metadata is None:
            raise ValueError("fit saw no metadata, so that predictions cannot use any.")
        return self._metadata.transform(metadata)

    def predict(self, groups, return_std=False, metadata=None):
        """Predict the gains of groups.

        Parameters
        ----------
        groups : array-like of shape (n, n_tasks) of bool
            Groups.
        return_std : bool, default=False
            Whether to return standard deviations, too.
        metadata : array-like of shape (n_tasks or more, n_metadata), optional
            Metadata of the tasks of ``fit``, followed by those of new tasks in `groups`.

        Returns
        -------
        gains : ndarray of shape (n, n_tasks)
            NaN outside the groups.
        std : ndarray of shape (n, n_tasks)
            If `return_std` is True: the spread of the networks and the uncertainty of the baseline.
        """
        check_is_fitted(self, "module_")
        values = self._metadata_values(metadata)
        groups = check_groups(groups, self.n_tasks_ if values is None else len(values))
        members = self.scale_ * self.trust_ * outputs_of(self.module_, groups, values)
        mean, variance = members.mean(axis=0), members.var(axis=0)
        if self.process_ is not None:
            similarity = None if values is None else self._metadata.similarity(values)
            prior, deviation = self.process_.predict(groups, similarity)
            mean, variance = mean + prior, variance + deviation**2
            alone = groups.sum(axis=1) == 1
            mean[alone], variance[alone] = 0.0, 0.0
        mean = np.where(groups, mean, np.nan)
        return (mean, np.where(groups, np.sqrt(variance), np.nan)) if return_std else mean

    def encode(self, groups):
        """Encode the tasks of groups by the first network (the paper's figure 4).

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
        groups = check_groups(groups, self.n_tasks_)
        encoded = encodings_of(self.module_, groups, self._metadata_values())
        return np.where(groups[:, :, None], encoded, np.nan)
