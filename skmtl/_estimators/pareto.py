"""`ParetoHypernet`: one network for every trade-off between tasks.

Its parameters and documentation; the network is in `skmtl.nn`, the loop in `skmtl.training`.
"""

from numbers import Integral, Real

import numpy as np
from sklearn.metrics import accuracy_score
from sklearn.utils import ClassifierTags
from sklearn.utils.validation import check_is_fitted

from skmtl._estimators.bases import BaseRegressor, multi_label_classes
from skmtl._estimators.docs import COMMON_ATTRIBUTES, PARETO_PARAMETERS, document
from skmtl._estimators.preference_predictor import PreferencePredictor
from skmtl._estimators.preferences import (
    as_preferences,
    check_training_preferences,
)
from skmtl._sklearn_compat import Interval, StrOptions
from skmtl.architectures._pareto_hypernetwork import ParetoHypernetwork
from skmtl.training import PreferenceSteps

PARETO_ATTRIBUTES = """
loss_scales_ : Series
    By task, the loss that the best constant has on the training rows, which losses are divided
    by: of numbers in units of y (squared if the loss is), of classes in nats.
"""

# parameters of other estimators
_OF_OTHERS = {
    *("task_weighting", "record_affinity", "base", "base_sees_task", "hold_out_tasks"),
    *("intervals", "interval_time"),
}


@document(
    PARETO_PARAMETERS,
    architecture=ParetoHypernetwork,
    attributes=COMMON_ATTRIBUTES + PARETO_ATTRIBUTES,
)
class ParetoHypernet(PreferencePredictor):
    """One network for every trade-off between tasks: a preference is chosen when predicting.

    A hypernetwork reads a preference (a weight for each task) and writes all parameters of a
    network with an encoder shared by all tasks and a head for each. It is trained for all
    preferences at once, so that one model covers the whole front of trade-offs, and `predict` takes
    any of them. Tasks may hold numbers, classes, or both.

    Parameters
    ----------
    {parameters}

    Attributes
    ----------
    {attributes}

    See Also
    --------
    skmtl.architectures.SharedBottom : The network that is written, for one trade-off.
    skmtl.display.ParetoFrontDisplay : Shows the front.
    skmtl.metrics.hypervolume : Measures it.

    Notes
    -----
    Section 5 of [1]_: chunk c of the parameters of the network for the preference p is
    ``theta_c(p) = W a_c(p)``, with a projection W that all chunks share and
    ``a_c(p) = z_c + O (h(p) * V z_c)``, where z_c is a learned embedding of the chunk and h(p) the
    last hidden layer of a small network. All together has at most 1.1 times as many parameters as
    the network that is written. Networks of at most 20,000 parameters are one chunk, and W then has
    a column for each number of h. Every step draws `n_preferences`
    preferences, asks the solver for the weights alpha of the T losses of each, and follows the mean
    of ``sum_i alpha_i(p) grad L_i(theta(p))``.

    A preference r always means the same: more weight on a task, lower loss of it. The solver
    "pareto" makes the losses *parallel* to a vector p, so that it is given
    ``p = 1 / max(r, 0.01 max r)`` (of sum 1); "epo" and "chebyshev" make all ``r_i L_i`` the same,
    and "linear" minimises ``sum_i r_i L_i``.

    L_i is the mean loss of task i divided by ``loss_scales_[i]``, the loss of the best constant:
    so losses are numbers around 0 to 1, whatever the units. Training stops by the mean over a
    fixed set of preferences of ``sum_i r_i L_i`` on validation rows, whichever solver it is.

    Departures from the paper: small networks in one chunk (as the paper's LeNet); embeddings and
    preference meet in a product instead of one input; embeddings start as unit vectors and W as a
    well-initialised network, so that all preferences begin near it; preferences of a step are
    solved apart and averaged instead of one program for all of them (equation 28), which would
    listen to the shortest gradient of any of them; `restoration`; weights are averaged; the minimum
    of the solver is exact.

    With ``task_id=None`` and a y of one column there is one task and nothing to trade off: every
    preference predicts the same. That is no error, so that the estimator works wherever others do.

    References
    ----------
    .. [1] Lin, Yang, Zhang and Kwong, "Controllable Pareto multi-task learning", 2020.
    .. [2] Navon, Shamsian, Chechik and Fetaya, "Learning the Pareto front with hypernetworks",
       ICLR 2021.
    .. [3] Mahapatra and Rajan, "Multi-task learning with user preferences: gradient descent with
       controlled ascent in Pareto optimization", ICML 2020.

    Examples
    --------
    >>> import numpy as np
    >>> from skmtl import ParetoHypernet
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(300, 3))
    >>> Y = np.column_stack([np.tanh(X[:, 0] + X[:, 1]), np.tanh(X[:, 0] - X[:, 2])])
    >>> model = ParetoHypernet(hidden_layer_sizes=(2,), max_iter=20, random_state=0).fit(X, Y)
    >>> model.predict(X, preference=[0.9, 0.1]).shape
    (300, 2)
    >>> model.predict(X, preference=[[1, 0], [1, 1], [0, 1]]).shape
    (3, 300, 2)
    >>> front = model.pareto_front(X, Y, preferences=11)
    >>> front.columns.tolist()[-3:]
    [('loss', 0), ('loss', 1), ('dominated', '')]
    """

    _losses = ("squared_error", "absolute_error", "huber", "pinball")
    _parameter_constraints = {
        **{
            name: constraint
            for name, constraint in BaseRegressor._parameter_constraints.items()
            if name not in _OF_OTHERS
        },
        # there is no one loss that could choose: each preference has its own
        "alpha": [Interval(Real, 0, None, closed="left")],
        "task_types": [StrOptions({"infer", "regression", "classification"}), dict],
        "loss": [StrOptions({*_losses}), dict],
        "preference": ["array-like", dict, None],
        "solver": [StrOptions({"linear", "pareto", "chebyshev", "epo"})],
        "n_preferences": [Interval(Integral, 1, None, closed="left")],
        "n_reference_vectors": [Interval(Integral, 1, None, closed="left")],
        "restoration": [Interval(Real, 0, 1, closed="both")],
        "preferences": [StrOptions({"uniform", "dirichlet"}), "array-like"],
        "concentration": [StrOptions({"auto"}), Interval(Real, 0, None, closed="neither")],
        "weight_scale": [StrOptions({"none", "sum_abs"})],
        **ParetoHypernetwork._parameter_constraints,
    }
    _architecture_class = ParetoHypernetwork
    _parameters_before = {"restoration": 0.0}
    # predictions differ by it, networks do not
    _member_parameters = ("preference",)
    # here preferences weigh the tasks
    task_weighting, record_affinity = "equal", False

    def __init__(
        self,
        task_id=None,
        metadata=None,
        *,
        categorical_features="from_dtype",
        task_types="infer",
        loss="squared_error",
        quantile=0.5,
        task_sampling="rows",
        preference=None,
        solver="linear",
        n_preferences=4,
        n_reference_vectors=10,
        restoration=0.2,
        preferences="dirichlet",
        concentration="auto",
        weight_scale="none",
        network=None,
        hidden_layer_sizes=(32, 32, 32),
        activation="relu",
        compression="auto",
        hypernet_layers=1,
        hypernet_width="auto",
        alpha=1e-4,
        batch_size="auto",
        learning_rate="constant",
        learning_rate_init=1.5e-3,
        weight_averaging=0.99,
        max_iter=1000,
        early_stopping=True,
        validation_fraction=0.2,
        n_iter_no_change="auto",
        tol=1e-4,
        unseen_tasks="error",
        n_members=1,
        warm_start=False,
        device="auto",
        callbacks=None,
        random_state=None,
        verbose=0,
    ):
        self._store(locals())

    def _steps(self, plans, state=None):
        """Return steps for preferences, which take the place of task weighting."""
        for plan in plans:
            plan.estimator._check_preferences(plan.tables.tasks)
        fixed = None
        if not isinstance(self.preferences, str):
            fixed = np.atleast_2d(np.asarray(self.preferences, dtype=np.float64))
        concentration = self.concentration
        if not (isinstance(self.preferences, str) and self.preferences == "dirichlet"):
            concentration = 1.0
        elif isinstance(concentration, str):
            # left to the number of tasks
            concentration = None
        return PreferenceSteps(
            solver=self.solver,
            n_preferences=self.n_preferences,
            n_reference_vectors=self.n_reference_vectors,
            restoration=self.restoration,
            concentration=concentration,
            preferences=fixed,
            weight_scale=self.weight_scale,
        )

    def _check_preferences(self, tasks):
        """Refuse preferences that do not fit the tasks."""
        if self.preference is not None:
            as_preferences(self.preference, tasks)
        check_training_preferences(self.preferences, tasks, self.n_members)

    def _classifies(self):
        """Whether labels are classes unless something else is said."""
        return isinstance(self.task_types, str) and self.task_types == "classification"

    def _target_settings(self):
        settings = super()._target_settings()
        if isinstance(self.task_types, str):
            settings["task_types"] = "infer"
            settings["kind"] = "classification" if self._classifies() else "regression"
        return settings

    @property
    def classes_(self):
        """Sorted classes; in wide form a dict of them by task that has any."""
        check_is_fitted(self, "module_")
        parts = self._targets.parts
        if all(part.classes is None for part in parts):
            raise AttributeError("no task of this model has classes.")
        if not self._targets.wide:
            return parts[0].classes
        if self._targets.multi_label:
            return multi_label_classes(parts)
        pairs = zip(self.tasks_, parts, strict=True)
        return {task: part.classes for task, part in pairs if part.classes is not None}

    def score(self, X, y, sample_weight=None):
        """Compute the coefficient of determination of numbers, the accuracy of classes.

        Parameters
        ----------
        X : DataFrame or array of shape (n, n_columns)
            As for ``predict``; predicted with the preference of the constructor.
        y : array-like of shape (n,), (n, n_outputs) or (n, n_tasks)
            Labels; in wide form some may be missing.
        sample_weight : array-like of shape (n,), or (n, n_tasks) in wide form, optional
            Weights of the rows.

        Returns
        -------
        float
            In wide form the mean over tasks, each over the rows that have its label.
        """
        check_is_fitted(self, "module_")
        if not self._targets.wide and self._targets.parts[0].classes is not None:
            return accuracy_score(y, self.predict(X), sample_weight=sample_weight)
        return super().score(X, y, sample_weight)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        if self._classifies():
            tags.estimator_type = "classifier"
            tags.classifier_tags, tags.regressor_tags = ClassifierTags(), None
            tags.target_tags.multi_output = self.task_id is None
        return tags
