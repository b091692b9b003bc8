"""What the estimators of the multi-task hypernetwork share: their module, embeddings, new tasks.

The network is in `skmtl.nn`, the loop in `skmtl.training`.
"""

import copy
from numbers import Integral, Real

import numpy as np
import torch
from sklearn.metrics import check_scoring
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from skmtl._data.rows import Examples
from skmtl._estimators.layers import ACTIVATION, LAYER_SIZES, layer_sizes
from skmtl._estimators.plan import Job, train
from skmtl._estimators.reports import embeddings_table, importance_table
from skmtl.nn import TaskHypernetwork

# of Adam in adapt, at most: a handful of numbers per task is learned by then
_ADAPT_STEPS = 2000

CONSTRAINTS = {
    "embedding_dim": [Interval(Integral, 0, None, closed="left")],
    "embedding_init": [StrOptions({"auto", "common", "apart"})],
    "embedding_alpha": [Interval(Real, 0, None, closed="left")],
    "hidden_layer_sizes": LAYER_SIZES,
    "hypernet_layers": [Interval(Integral, 0, None, closed="left")],
    "hypernet_width": [Interval(Integral, 1, None, closed="left")],
    "activation": ACTIVATION,
    "compression": ["boolean"],
    "target_bias": [StrOptions({"folded", "plain"})],
    "init": [StrOptions({"kaiming", "hyperfan"})],
    "linear_skip": ["boolean"],
    "interaction_alpha": [Interval(Real, 0, None, closed="left")],
}


class HypernetworkMixin:
    """Builds the hypernetwork, and does what only it can do."""

    _member_parameters = ("embedding_alpha", "interaction_alpha")

    def _build_module(self, n_tasks, n_features, n_metadata, n_outputs, seeds):
        if self.embedding_dim + n_metadata == 0:
            raise ValueError(
                "embedding_dim=0 leaves nothing that tells tasks apart: pass metadata=, or an "
                "embedding_dim of at least 1."
            )
        return TaskHypernetwork(
            n_tasks,
            n_features,
            n_metadata,
            n_outputs,
            seeds=seeds,
            embedding_dim=self.embedding_dim,
            embeddings_apart=self._embeddings_apart(n_tasks),
            hidden_layer_sizes=layer_sizes(self, "hidden_layer_sizes"),
            hypernet_layers=self.hypernet_layers,
            hypernet_width=self.hypernet_width,
            activation=self.activation,
            compression=self.compression,
            target_bias=self.target_bias,
            init=self.init,
            linear_skip=self.linear_skip,
            embedding_alpha=self.embedding_alpha,
            interaction_alpha=self.interaction_alpha,
        )

    def _embeddings_apart(self, n_tasks):
        """Whether every task's embedding starts from a draw of its own."""
        if self.embedding_init == "auto":
            return self.task_id is None and n_tasks > 1
        return self.embedding_init == "apart"

    @property
    def task_embeddings_(self):
        """Embeddings of the tasks, one row per task."""
        check_is_fitted(self, "module_")
        return embeddings_table(self.module_.embeddings.detach().cpu().numpy(), self.tasks_)

    def adapt(self, X, y, sample_weight=None):
        """Learn new tasks from a few rows, everything else frozen.

        Only embeddings of the new tasks are trained. They start at the mean embedding and are
        pulled to it as a mixed model would: by the noise of the data over the variance of the
        embeddings of ``fit``, in each dimension. That pull takes the place of early stopping: all
        rows are trained on, for `max_iter` epochs or 2,000 steps, whichever is less, and
        `callbacks` are not called. Predictions for the tasks known before do not change by a bit.

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
            ``embedding_dim=0`` or ``task_id=None``, or because ``fit`` saw one task only.
        """
        check_is_fitted(self, "module_")
        if self.task_id is None or not self.module_.embeddings.shape[2]:
            raise ValueError(
                "adapt learns embeddings of new tasks: it needs task_id and an embedding_dim "
                "above 0."
            )
        if not (self.module_.trained.sum(1) > 1).all():
            raise ValueError(
                "adapt learns how new tasks differ from how those of fit do, but fit saw one task "
                "only; call fit with the rows of several tasks."
            )
        targets = copy.copy(self._targets)
        X, *rows = self._check_rows(X, y, sample_weight, targets)
        new, features, tasks = self._tables.of_new_tasks(X, self)
        examples = Examples(features, tasks, *rows).canonical()
        targets.learn_task_classes(examples, len(new.tasks))
        seeds = self._member_seeds(self.module_.n_members)
        module = self.module_.for_new_tasks(len(new.tasks), self._noise())
        job = Job(self, new, targets, [(examples, None)], seeds)
        net = train([job], module, max_steps=_ADAPT_STEPS, with_callbacks=False, weighted=False)
        self.module_.add_tasks(net.module_)
        self._tables = self._tables.joined(new)
        self._targets = self._targets.joined(targets)
        return self

    def _noise(self):
        """How strong the pull of a new embedding is, per member, from the loss that is left."""
        losses = self.history_.groupby("member")
        left = losses["valid_loss"].min().fillna(losses["train_loss"].last())
        left = torch.as_tensor(left.to_numpy(copy=True), dtype=torch.get_default_dtype())
        return self._targets.outcomes[0].noise(left)

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
        if not isinstance(n_repeats, Integral) or n_repeats < 1:
            raise ValueError(f"n_repeats must be an int of at least 1, got {n_repeats!r}.")
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
        return importance_table(falls, self._tables.metadata_names)
