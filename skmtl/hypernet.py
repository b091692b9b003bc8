"""`MultiTaskHypernetRegressor`: a hypernetwork writes one small network per task.

Its parameters and their documentation; the network is in `skmtl.nn`, the loop in `skmtl.training`.
"""

import copy
from numbers import Integral, Real

import numpy as np
import torch
from sklearn.base import RegressorMixin
from sklearn.metrics import check_scoring
from sklearn.utils import check_array, check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted, column_or_1d

from skmtl._base import BaseMultiTaskEstimator
from skmtl._examples import Examples
from skmtl.nn import TaskHypernetwork

# of Adam in adapt, at most: a handful of numbers per task is learned by then
_ADAPT_STEPS = 2000


class MultiTaskHypernetRegressor(RegressorMixin, BaseMultiTaskEstimator):
    """Regression for many related tasks: a shared network writes a small network for each.

    Every task (school, store, lake, patient) has a learned embedding and, if there are any, facts
    about it (`metadata`). A hypernetwork shared by all tasks turns the two into the weights of a
    small network, which predicts the rows of that task. Tasks share what they have in common
    through the hypernetwork, and a task that was never seen is predicted from its facts alone.

    Parameters
    ----------
    task_id : str, int, list of these, or None, default=None
        The column of X that says which task a row belongs to: a string is a label, an int a
        position, negative from the end. With a list the task is the combination of the columns.
        None means that all rows belong to one task.
    metadata : list of str or int, DataFrame, or None, default=None
        Facts about tasks: columns of X that are constant within each task, or a table with one
        row per task, indexed by task id.
    embedding_dim : int, default=10
        Length of the embedding of a task; 0 to tell tasks apart by their metadata only.
    embedding_alpha : float, default=0.3
        Strength of the pull of the embeddings to their mean, as partial pooling in a mixed model:
        ``embedding_alpha`` times the squared distance is added to the sum of the squared errors
        (in standard deviations of y), so that it matters less the more rows a task has.
    hidden_layer_sizes : tuple of int, default=(32, 32, 32)
        Hidden layers of a task's network.
    hypernet_layers : int, default=0
        Layers of the feature extractor of the hypernetwork. With 0, weights are linear in the
        embedding and the metadata; more layers let complicated metadata act.
    hypernet_width : int, default=32
        Width of those layers.
    activation : {"relu", "tanh", "logistic", "identity"}, default="relu"
        Activation of the tasks' networks.
    compression : bool, default=True
        Whether the weight generators use the three-factor form of the paper, which has far fewer
        parameters than a full linear map.
    target_bias : {"folded", "plain"}, default="folded"
        Where the biases of the tasks' networks come from: a row of the generated weights, as in
        the paper, or a linear map of their own, as in the code published with it.
    init : {"kaiming", "hyperfan"}, default="kaiming"
        Initial weights of the generators: each factor as a linear layer of its shape, or such
        that the generated weights have the variance that the tasks' networks need [2]_.
    linear_skip : bool, default=True
        Whether a generated linear model, zero at the start, is added to each network: intercepts
        and slopes that vary between tasks, as in a mixed model. Not in the paper.
    alpha : float, default=1e-4
        Decoupled weight decay: each step shrinks weights by ``learning_rate_init * alpha`` of
        their size; biases and embeddings are left alone.
    batch_size : int or "auto", default="auto"
        Rows in a batch. Batches are dealt evenly, so that they may be a little smaller. "auto" is
        a tenth of the training rows, at least 16 and at most 256.
    learning_rate_init : float, default=1.5e-3
        Learning rate of Adam.
    weight_averaging : float, default=0.99
        Decay, per step, of the running mean of the weights that is validated, kept and predicted
        with; 0 uses the latest weights. It steadies what single steps make of a few rows. Not in
        the paper.
    max_iter : int, default=1000
        Epochs at most.
    early_stopping : bool, default=True
        Whether training stops when the loss on validation rows does not improve any more; the
        best weights are kept. If False, all `max_iter` epochs are run.
    validation_fraction : float, default=0.2
        Of each task floor(`validation_fraction` * its rows) rows are set aside for validation.
    n_iter_no_change : int, default=50
        Epochs without improvement after which training stops.
    tol : float, default=1e-4
        Smallest fall of the validation loss that counts as an improvement. Losses are mean
        squared errors in squared standard deviations of y.
    unseen_tasks : {"error", "average"}, default="error"
        What to do in ``predict`` with a task that was never seen, without metadata: raise an
        error that lists it, or use the mean embedding. With metadata it is always predicted.
    n_members : int, default=1
        Networks that train side by side from different initial weights; predictions are their
        mean. Several are more accurate and cost less than as many fits.
    warm_start : bool, default=False
        Whether ``fit`` goes on from the weights of the previous one; its scales are kept.
    device : str, default="auto"
        Where to train and predict; "auto" is a GPU if torch sees one.
    callbacks : list of skorch callbacks, default=None
        Copies of them observe the training; those that steer it (early stopping, learning rate
        schedules) are refused if `n_members` is above 1.
    random_state : int, RandomState instance or None, default=None
        Decides initial weights, order of the rows and the validation rows. The same int on the
        same machine gives the same bits on a CPU, whatever the order of the rows of X.
    verbose : int, default=0
        1 shows a progress bar, if the output is a terminal.

    Attributes
    ----------
    tasks_ : Index
        Task labels, sorted if they can be.
    task_embeddings_ : DataFrame
        One row per task; with several members the columns have two levels, member and dimension.
    module_ : torch.nn.Module
        The hypernetworks of all members.
    history_ : DataFrame
        One row per member and epoch: training and validation loss, and numbers that callbacks
        recorded.
    n_iter_ : int
        Epochs run, by the member that ran longest.
    device_ : str
        Where the model was trained.
    callbacks_ : list
        The callbacks after training.
    n_features_in_ : int
        Columns of X, task id and metadata included.
    feature_names_in_ : ndarray
        Their names, if all are strings.

    See Also
    --------
    skmtl.datasets.load_high_school : A table that this estimator is made for.

    Notes
    -----
    The network of task t is written by a hypernetwork h, ``theta_t = h(e_t, m_t)``, see section 2
    of [1]_. The weights of each layer are
    ``W_t[i, o] = sum_k h_t[k] A[k, i] B[i, o] C[k, o] + D[i, o]``, section 2.1. Departures from
    the paper: `linear_skip`, `embedding_alpha` and `weight_averaging` (all can be turned off), the
    best weights are kept instead of the last ones, batches are even, and metadata are standardised
    by the population standard deviation.

    Features, metadata and targets are standardised inside; targets over all tasks, since a task
    that was never seen has no scale of its own. Identical rows are merged and their weights added
    up, so that a weight of 2 is the same as the row twice.

    References
    ----------
    .. [1] "Multi-task learning with hypernetworks and task metadata", under review, 2024;
       Graffeuille et al., "Remote sensing for water quality: a multi-task, metadata-driven
       hypernetwork approach", IJCAI 2024.
    .. [2] Chang, Flokas and Lipson, "Principled weight initialization for hypernetworks",
       ICLR 2020.

    Examples
    --------
    >>> from skmtl import MultiTaskHypernetRegressor
    >>> from skmtl.datasets import make_cubic
    >>> cubic = make_cubic(n_tasks=20, n_rows=10, random_state=0)
    >>> model = MultiTaskHypernetRegressor(
    ...     task_id=cubic.task_id, metadata=cubic.metadata, random_state=0
    ... )
    >>> model.fit(cubic.data, cubic.target).score(cubic.data, cubic.target) > 0.9
    True
    >>> model.task_embeddings_.shape
    (20, 10)

    A task that was never seen, from its facts alone:

    >>> new = cubic.data.head(2).assign(task=99, a=0.5, b=0.0, c=0.0, d=0.0)
    >>> model.predict(new).shape
    (2,)
    """

    _parameter_constraints = {
        **BaseMultiTaskEstimator._parameter_constraints,
        "embedding_dim": [Interval(Integral, 0, None, closed="left")],
        "embedding_alpha": [Interval(Real, 0, None, closed="left")],
        "hidden_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
        "hypernet_layers": [Interval(Integral, 0, None, closed="left")],
        "hypernet_width": [Interval(Integral, 1, None, closed="left")],
        "activation": [StrOptions({"identity", "logistic", "relu", "tanh"})],
        "compression": ["boolean"],
        "target_bias": [StrOptions({"folded", "plain"})],
        "init": [StrOptions({"kaiming", "hyperfan"})],
        "linear_skip": ["boolean"],
    }

    def __init__(
        self,
        task_id=None,
        metadata=None,
        *,
        embedding_dim=10,
        embedding_alpha=0.3,
        hidden_layer_sizes=(32, 32, 32),
        hypernet_layers=0,
        hypernet_width=32,
        activation="relu",
        compression=True,
        target_bias="folded",
        init="kaiming",
        linear_skip=True,
        alpha=1e-4,
        batch_size="auto",
        learning_rate_init=1.5e-3,
        weight_averaging=0.99,
        max_iter=1000,
        early_stopping=True,
        validation_fraction=0.2,
        n_iter_no_change=50,
        tol=1e-4,
        unseen_tasks="error",
        n_members=1,
        warm_start=False,
        device="auto",
        callbacks=None,
        random_state=None,
        verbose=0,
    ):
        self.task_id = task_id
        self.metadata = metadata
        self.embedding_dim = embedding_dim
        self.embedding_alpha = embedding_alpha
        self.hidden_layer_sizes = hidden_layer_sizes
        self.hypernet_layers = hypernet_layers
        self.hypernet_width = hypernet_width
        self.activation = activation
        self.compression = compression
        self.target_bias = target_bias
        self.init = init
        self.linear_skip = linear_skip
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate_init = learning_rate_init
        self.weight_averaging = weight_averaging
        self.max_iter = max_iter
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.unseen_tasks = unseen_tasks
        self.n_members = n_members
        self.warm_start = warm_start
        self.device = device
        self.callbacks = callbacks
        self.random_state = random_state
        self.verbose = verbose

    def _build_module(self, n_tasks, n_features, n_metadata, n_outputs, seeds):
        if self.embedding_dim + n_metadata == 0:
            raise ValueError(
                "embedding_dim=0 leaves nothing that tells tasks apart: pass metadata=, or an "
                "embedding_dim of at least 1."
            )
        widths = self.hidden_layer_sizes
        widths = [widths] if isinstance(widths, Integral) else list(widths)
        if not all(isinstance(width, Integral) and width > 0 for width in widths):
            raise ValueError(
                "hidden_layer_sizes must be a tuple of positive integers, got "
                f"{self.hidden_layer_sizes!r}."
            )
        return TaskHypernetwork(
            n_tasks,
            n_features,
            n_metadata,
            n_outputs,
            seeds=seeds,
            embedding_dim=self.embedding_dim,
            hidden_layer_sizes=tuple(int(width) for width in widths),
            hypernet_layers=self.hypernet_layers,
            hypernet_width=self.hypernet_width,
            activation=self.activation,
            compression=self.compression,
            target_bias=self.target_bias,
            init=self.init,
            linear_skip=self.linear_skip,
            embedding_alpha=self.embedding_alpha,
        )

    def _check_targets(self, y):
        if getattr(y, "ndim", 1) == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        y = check_array(y, ensure_2d=False, dtype=np.float64, input_name="y", estimator=self)
        if y.ndim == 2 and self.task_id is None:
            raise ValueError(
                f"y has {y.shape[1]} columns, but task_id=None means one task. Name the column of "
                "X that says which task a row belongs to, task_id='...', or pass one column of y."
            )
        return y.reshape(len(y), -1)

    def predict(self, X):
        """Predict every row with the network of its task.

        Parameters
        ----------
        X : DataFrame or array of shape (n, n_columns)
            The columns of ``fit``; those of a DataFrame may stand in another order. Metadata may
            differ from that of ``fit``: the network is written for each distinct pair of task id
            and metadata.

        Returns
        -------
        ndarray of shape (n,) or (n, n_outputs)
            In the units of y.

        Raises
        ------
        ValueError
            If a task was never seen and there is neither metadata nor
            ``unseen_tasks="average"``.
        """
        return self._predict(X)

    @property
    def task_embeddings_(self):
        """Embeddings of the tasks, one row per task."""
        check_is_fitted(self, "module_")
        return self._tables.embeddings(self.module_.embeddings.detach().cpu().numpy())

    def adapt(self, X, y, sample_weight=None):
        """Learn new tasks from a few rows, everything else frozen.

        Only embeddings of the new tasks are trained. They start at the mean embedding and are
        pulled to it as a mixed model would: by the noise of the data over the variance of the
        embeddings of ``fit``, in each dimension. That pull takes the place of early stopping: all
        rows are trained on, for `max_iter` epochs or 2,000 steps, whichever is less. Predictions
        for the tasks known before do not change by a bit.

        Parameters
        ----------
        X : DataFrame or array of shape (n, n_columns)
            Rows of new tasks only.
        y : array-like of shape (n,) or (n, n_outputs)
            Targets.
        sample_weight : array-like of shape (n,), optional
            As in ``fit``.

        Returns
        -------
        self
            Knows the new tasks too, behind the old ones in ``tasks_``.

        Raises
        ------
        ValueError
            If a task is known already, or there is nothing to learn because
            ``embedding_dim=0`` or ``task_id=None``.
        """
        check_is_fitted(self, "module_")
        if self.task_id is None or not self.module_.embeddings.shape[2]:
            raise ValueError(
                "adapt learns embeddings of new tasks: it needs task_id and an embedding_dim "
                "above 0."
            )
        X, y, weights = self._check_rows(X, y, sample_weight)
        if y.shape[1] != self.module_.n_outputs:
            raise ValueError(f"y has {y.shape[1]} outputs, but fit saw {self.module_.n_outputs}.")
        new, features, tasks = self._tables.of_new_tasks(X, self)
        examples = Examples(features, tasks, y, weights).canonical()
        seeds = self._member_seeds(self.module_.n_members)
        module = self.module_.for_new_tasks(len(new.tasks), self._noise())
        net = self._train(module, new, examples, None, seeds, max_steps=_ADAPT_STEPS)
        self.module_.add_tasks(net.module_)
        self._tables = self._tables.joined(new)
        return self

    def _noise(self):
        """Loss that is left after training, per member: a mean squared error."""
        losses = self.history_.groupby("member")
        left = losses["valid_loss"].min().fillna(losses["train_loss"].last())
        return torch.as_tensor(left.to_numpy(copy=True), dtype=torch.get_default_dtype())

    def metadata_importance(
        self, X, y, *, scoring=None, n_repeats=5, sample_weight=None, random_state=None
    ):
        """Say how much each fact about the tasks helps: shuffle it between tasks and look.

        Parameters
        ----------
        X : DataFrame or array of shape (n, n_columns)
            Rows that were not trained on; with tasks that were never seen, the answer is what the
            fact is worth for new tasks.
        y : array-like of shape (n,) or (n, n_outputs)
            Their targets.
        scoring : str, callable or None, default=None
            A scorer of scikit-learn, greater is better; None is the coefficient of determination.
        n_repeats : int, default=5
            Times that each fact is shuffled.
        sample_weight : array-like of shape (n,), optional
            Passed on to the scorer.
        random_state : int, RandomState instance or None, default=None
            Decides the shuffles.

        Returns
        -------
        DataFrame
            One row per fact, the most important first: mean and standard deviation of the fall of
            the score, ``importance_mean`` and ``importance_std``. About zero: it does not help.

        Raises
        ------
        ValueError
            If the model was fitted without metadata.
        """
        check_is_fitted(self, "module_")
        if not self._tables.metadata_names:
            raise ValueError(
                "there is no metadata to shuffle: this model was fitted with metadata=None."
            )
        generator = check_random_state(random_state)
        scorer = check_scoring(self, scoring=scoring)
        weights = {} if sample_weight is None else {"sample_weight": sample_weight}
        shuffled = copy.copy(self)
        before = scorer(self, X, y, **weights)
        falls = []
        for column in range(len(self._tables.metadata_names)):
            scores = []
            for _ in range(n_repeats):
                changed, shuffled.metadata = self._tables.permuted(X, self, column, generator)
                scores.append(before - scorer(shuffled, changed, y, **weights))
            falls.append((np.mean(scores), np.std(scores)))
        return self._tables.per_fact(falls, ["importance_mean", "importance_std"])

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        # in long form a row may have several outputs
        tags.target_tags.multi_output = self.task_id is not None
        return tags
