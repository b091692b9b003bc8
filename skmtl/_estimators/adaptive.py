"""What was learned about tasks, and learning more about them after a fit."""

from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from skmtl._estimators.adapt import adapt
from skmtl._estimators.base import BaseMultiTaskEstimator
from skmtl._estimators.reports import embeddings_table
from skmtl.training._device import own_state


def _adapts(estimator):
    """Whether new tasks can be learned as embeddings alone."""
    return estimator._architecture().adapts


def _updates(estimator):
    """Whether there are tasks that can learn from further rows."""
    return estimator.task_id is not None and _adapts(estimator)


class AdaptiveEstimator(BaseMultiTaskEstimator):
    """Embeddings of tasks, of which rows after the fit can change some."""

    @property
    def task_embeddings_(self):
        """What was learned about the tasks, one row per task."""
        check_is_fitted(self, "module_")
        architecture = self._architecture()
        with own_state():
            values = architecture.task_embeddings(self.module_)
        if values is None:
            raise AttributeError(
                f"{type(architecture).__name__} learns no embeddings of the tasks."
            )
        if isinstance(values, list):
            levels = zip(self.tasks_.items(), values, strict=True)
            return {name: embeddings_table(v, labels) for (name, labels), v in levels}
        return embeddings_table(values, self.tasks_)

    @available_if(_adapts)
    def adapt(self, X, y, sample_weight=None):
        """Learn from new rows of known tasks, and new tasks from a few rows; all else is frozen.

        Only embeddings of the tasks in X change. Those of new tasks start at the mean embedding and
        are pulled to it as a mixed model would: by the noise of the data over the variance of the
        embeddings of ``fit``, in each dimension. That pull takes the place of early stopping: all
        rows are trained on, for `max_iter` epochs or 2,000 steps, whichever is less, and
        `callbacks` are not called.

        The embedding of a known task is pulled to what it was, by how firmly it is known: by the
        curvature of the loss on the rows that it was learned from, in ``fit`` and in earlier calls,
        in addition to the pull on new tasks. One row more hardly moves a task with 50 rows. The
        optimum is found by Newton's method, and the base learner, if there is one, stays as it is.
        Predictions for all other tasks stay bitwise identical; ``copy.deepcopy`` before the call
        keeps the model as it was. With several levels of ids, those in X, known or new, move
        together by Newton's method, and predictions stay where no id of a row is in X.

        Parameters
        ----------
        X : DataFrame or array of shape (n, n_columns)
            Rows of known or new tasks. Pass each row once: it counts in addition to earlier ones.
        y : array-like of shape (n,) or (n, n_outputs)
            Targets.
        sample_weight : array-like of shape (n,), optional
            As in ``fit``.

        Returns
        -------
        self
            Knows the new tasks too, after the old ones in ``tasks_``.

        Raises
        ------
        ValueError
            If there is nothing to learn because ``embedding_dim=0`` or ``task_id=None``, or because
            ``fit`` saw one task only; if an id is another spelling of a known one; or if a task has
            a class that it did not have in ``fit``.
        """
        return adapt(self, X, y, sample_weight)

    @available_if(_updates)
    def partial_fit(self, X, y, sample_weight=None):
        """Fit at first, and then learn from further rows as ``adapt`` does.

        Parameters
        ----------
        X : DataFrame or array of shape (n, n_columns)
            As for ``fit`` in the first call, then as for ``adapt``.
        y : array-like of shape (n,) or (n, n_outputs)
            Targets. A classifier must see all classes in the first call.
        sample_weight : array-like of shape (n,), optional
            As in ``fit``.

        Returns
        -------
        self
            The updated estimator.
        """
        if not hasattr(self, "module_"):
            return self.fit(X, y, sample_weight)
        return self.adapt(X, y, sample_weight)
