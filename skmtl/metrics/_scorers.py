"""Scorers over tasks, for ``scoring=`` in scikit-learn's tools."""

import copy
import inspect

import numpy as np
from sklearn import get_config
from sklearn.utils.metadata_routing import UNCHANGED, MetadataRequest

from skmtl.metrics._estimators import _attribute, _task_labels, classes_by_task, method_of
from skmtl.metrics._intervals import (
    mt_interval_coverage,
    mt_interval_score,
    mt_interval_width,
    mt_pinball_loss,
)
from skmtl.metrics._metric import Function, check_average, evaluate
from skmtl.metrics._parts import long_parts, wide_parts
from skmtl.metrics._public import (
    METRICS,
    mt_accuracy_score,
    mt_average_precision_score,
    mt_log_loss,
    mt_mean_absolute_error,
    mt_mean_squared_error,
    mt_r2_score,
    mt_roc_auc_score,
    mt_root_mean_squared_error,
)

# methods that predict what a metric compares with labels; bounds say it themselves
_RESPONSES = {"numbers": "predict", "labels": "predict", "probabilities": "predict_proba"}


class MultiTaskScorer:
    """Score an estimator over tasks; greater is better.

    In long form, tasks come from the column of X that the estimator's parameter `task_id` names; in
    wide form, they are the columns of y. Missing labels are skipped; other labels in the same row
    still count.

    Parameters
    ----------
    estimator : estimator
        A fitted estimator, also in a pipeline or a search.
    X : DataFrame or array-like of shape (n, n_columns)
        Rows to predict.
    y : DataFrame or array-like of shape (n,) or (n, T)
        Labels.
    sample_weight : array-like of shape (n,) or (n, T), optional
        Weights of the rows, or of each label.

    Returns
    -------
    float
        Greater is better: errors are negated.

    Raises
    ------
    ValueError
        If labels and predictions do not match.

    See Also
    --------
    make_mt_scorer : Make scorers of other metrics.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LinearRegression
    >>> from skmtl.metrics import neg_mt_mae_scorer
    >>> X, y = np.array([[0.0], [1.0]]), np.array([[0.0, 5.0], [1.0, 7.0]])
    >>> model = LinearRegression().fit(X, y)
    >>> round(neg_mt_mae_scorer(model, X, y + 1), 6)
    -1.0
    """

    def __init__(self, function, metric, average, level=None):
        self._function = function
        self._level = level
        self._metric = metric
        self._average = average
        self._weight_request = None

    def __call__(self, estimator, X, y, sample_weight=None):
        tasks, parts = self._parts(estimator, X, y, sample_weight)
        return self._sign * evaluate(self._metric, tasks, parts, self._average)

    def at_level(self, level):
        """Return this scorer for one of several levels of ids.

        Parameters
        ----------
        level : str or int
            A column of the `task_id` of the model.

        Returns
        -------
        MultiTaskScorer
            A copy.
        """
        scorer = copy.copy(self)
        scorer._level = level
        return scorer

    def _by_task(self, estimator, X, y, sample_weight):
        """Return one score for each task; greater is better."""
        tasks, parts = self._parts(estimator, X, y, sample_weight)
        return self._sign * evaluate(self._metric, tasks, parts, None, stacklevel=4)

    @property
    def _sign(self):
        return 1 if self._metric.greater_is_better else -1

    def _parts(self, estimator, X, y, sample_weight):
        if y is None:
            raise ValueError(f"{self!r} compares predictions with labels; pass y.")
        if sample_weight is not None and not self._accept_sample_weight():
            raise TypeError(
                f"{self._metric.title} has no parameter sample_weight; leave the weights out, or "
                "use a function that has one."
            )
        content = self._metric.content
        response = _RESPONSES.get(content) or self._metric.response
        predict = method_of(estimator, response)
        if predict is None:
            raise AttributeError(
                f"{self._metric.title} needs {response}, which {type(estimator).__name__} does not "
                "have; use another scorer or estimator."
            )
        labels = _task_labels(estimator, X, self._level)
        y_pred = predict(X, **self._metric.settings) if content == "bounds" else predict(X)
        if labels is not None:
            classes = getattr(estimator, "classes_", None)
            return long_parts(labels, y, y_pred, sample_weight, content, classes)
        classes, kinds = classes_by_task(estimator, y, y_pred)
        if content == "bounds" and np.ndim(y_pred) == 3:
            tasks = _attribute(estimator, "tasks_")
            y_pred = dict(zip(tasks, np.moveaxis(y_pred, 1, 0), strict=True))
        chosen = None
        if self._metric.kind and len(set(kinds)) > 1:
            chosen = np.flatnonzero([kind == self._metric.kind for kind in kinds])
        return wide_parts(y, y_pred, sample_weight, content, classes, chosen)

    # the protocol of scikit-learn's scorers

    def _accept_sample_weight(self):
        """Return whether the function takes weights."""
        return "sample_weight" in inspect.signature(self._function).parameters

    def set_score_request(self, *, sample_weight=UNCHANGED):
        """Set whether metadata routing passes weights to this scorer, as in scikit-learn.

        True or the name under which they are passed, False to ignore them, None to raise an error.
        """
        if not get_config()["enable_metadata_routing"]:
            raise RuntimeError(
                "set_score_request is only available with metadata routing: call "
                "sklearn.set_config(enable_metadata_routing=True) first."
            )
        if sample_weight is not UNCHANGED:
            self._weight_request = sample_weight
        return self

    def get_metadata_routing(self):
        """Return the metadata that scikit-learn passes to the scorer."""
        request = MetadataRequest(owner=self)
        if self._accept_sample_weight():
            request.score.add_request(param="sample_weight", alias=self._weight_request)
        return request

    def _routing_repr(self):
        return repr(self)

    def __repr__(self):
        name = getattr(self._function, "__name__", repr(self._function))
        options = {"average": self._average}
        if self._level is not None:
            options["level"] = self._level
        if self._function not in METRICS:
            if not self._metric.greater_is_better:
                options["greater_is_better"] = False
            if self._metric.content == "probabilities":
                options["response_method"] = "predict_proba"
        options |= self._metric.settings
        listed = "".join(f", {key}={value!r}" for key, value in options.items())
        return f"make_mt_scorer({name}{listed})"


def make_mt_scorer(
    metric,
    *,
    average="macro",
    level=None,
    greater_is_better=None,
    response_method=None,
    **settings,
):
    """Make a scorer of a metric over tasks.

    It works as ``scoring=`` wherever scikit-learn takes a scorer, in long and in wide form.

    Parameters
    ----------
    metric : callable
        One of the functions of this module, or a function ``metric(y_true, y_pred)`` of the labels
        and predictions of one task, such as those of `sklearn.metrics`.
    average : {"macro", "micro"}, default="macro"
        "macro" is the mean over tasks, "micro" takes all labels together.
    level : str or int, optional
        For models with several levels of ids: the column of `task_id` by whose ids to score.
    greater_is_better : bool, optional
        Whether larger values of the function are better; if not, the score is negated. True by
        default. Known for the functions of this module.
    response_method : {"predict", "predict_proba"}, optional
        Whether the function takes predictions (the default) or probabilities; with two classes,
        these are the probabilities of the second one. Known for the functions of this module.
    **settings : dict
        Additional arguments of the function; of metrics of intervals and quantiles the `coverage`
        or the `levels` that the estimator predicts.

    Returns
    -------
    callable
        A scorer ``scorer(estimator, X, y, sample_weight=None)``; greater is better.

    Raises
    ------
    ValueError, TypeError
        If `metric` is not such a function, or `average` is unknown.

    Examples
    --------
    >>> from sklearn.metrics import mean_pinball_loss
    >>> from skmtl.metrics import make_mt_scorer, mt_r2_score
    >>> make_mt_scorer(mt_r2_score, average="micro")
    make_mt_scorer(mt_r2_score, average='micro')
    >>> make_mt_scorer(mean_pinball_loss, greater_is_better=False, alpha=0.1)
    make_mt_scorer(mean_pinball_loss, average='macro', greater_is_better=False, alpha=0.1)
    """
    if not callable(metric) or hasattr(metric, "get_metadata_routing"):
        raise TypeError(
            "metric must be a function of labels and predictions, such as mt_r2_score or "
            f"sklearn.metrics.median_absolute_error, not {metric!r}."
        )
    check_average(average)
    if average is None:
        raise ValueError(
            "a scorer returns one number: use average='macro' or 'micro', and per_task_score for "
            "one number per task."
        )
    if metric in METRICS and METRICS[metric].content == "bounds":
        if greater_is_better is not None or response_method is not None:
            raise ValueError(
                f"a scorer of {metric.__name__} only takes average and "
                f"{', '.join(METRICS[metric].settings)}; leave the other arguments out."
            )
        return MultiTaskScorer(metric, METRICS[metric].changed(settings), average)
    if metric in METRICS:
        if settings or greater_is_better is not None or response_method is not None:
            raise ValueError(
                f"a scorer of {metric.__name__} only takes average and level; leave the other "
                "arguments out."
            )
        return MultiTaskScorer(metric, METRICS[metric], average, level)
    contents = {None: "labels", "predict": "labels", "predict_proba": "probabilities"}
    if response_method not in contents:
        raise ValueError(
            f"response_method={response_method!r} is unknown; use 'predict' or 'predict_proba'."
        )
    better = True if greater_is_better is None else greater_is_better
    custom = Function(metric, better, contents[response_method], settings)
    return MultiTaskScorer(metric, custom, average, level)


mt_r2_scorer = make_mt_scorer(mt_r2_score)
neg_mt_mse_scorer = make_mt_scorer(mt_mean_squared_error)
neg_mt_rmse_scorer = make_mt_scorer(mt_root_mean_squared_error)
neg_mt_mae_scorer = make_mt_scorer(mt_mean_absolute_error)
mt_accuracy_scorer = make_mt_scorer(mt_accuracy_score)
mt_roc_auc_scorer = make_mt_scorer(mt_roc_auc_score)
mt_average_precision_scorer = make_mt_scorer(mt_average_precision_score)
neg_mt_log_loss_scorer = make_mt_scorer(mt_log_loss)
mt_interval_coverage_scorer = make_mt_scorer(mt_interval_coverage)
neg_mt_interval_width_scorer = make_mt_scorer(mt_interval_width)
neg_mt_interval_score_scorer = make_mt_scorer(mt_interval_score)
neg_mt_pinball_loss_scorer = make_mt_scorer(mt_pinball_loss)
