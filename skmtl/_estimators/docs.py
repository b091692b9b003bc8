"""Documentation that estimators share: one text for each parameter and attribute.

`document` puts them into the docstring of a class, in the order of its constructor.
"""

import ast
import inspect

from skmtl._docstrings import fill

PARAMETERS = """
task_id : str, int, list of these, or None, default=None
    The column of X that says which task a row belongs to: a string is a label, an int a
    position, negative from the end. With a list the task is the combination of the columns.
    With None all rows belong to one task, or, if y has several columns, every column is a task
    of its own (wide form).
task_levels : {"joint", "crossed", "nested"}, default="joint"
    What several columns of `task_id` mean. joint: each combination of ids is a task. crossed: each
    column is a level with embeddings of its own, read together, as students and lecturers, so that
    a new combination of known ids is known. nested: each id belongs to one of the column before it,
    from the outermost, as schools in districts; its embedding is that of the outer id and a
    deviation that is pulled to zero. Ids of inner levels need to be unique within an outer one
    only. For hypernetworks; see :doc:`/levels`.
missing_id : {"error", "average"}, default="error"
    What a missing (NaN) id means: an error, or an id that is not known, which has the mean
    embedding (in nested levels that of its outer id). With ``task_levels="joint"`` it may be
    missing in ``predict`` only.
metadata : list of str or int, DataFrame, dict, "auto" or None, default=None
    Features of tasks: columns of X that are constant within each task, or a table with one row per
    task, indexed by task id; in wide form by column of y. "auto" takes all columns of X that are
    constant within tasks; ``metadata_names_`` lists them. With several levels a dict by level, of
    lists or tables.
categorical_features : "from_dtype" or list of str or int, default="from_dtype"
    Columns that hold categories, besides those of categories or words ("from_dtype"), by label or
    position: numbers that are codes, say. Categories may be missing, and new ones are legal when
    predicting. See :doc:`/tables` for how every kind of column is encoded.
task_types : "infer" or dict, default="infer"
    In wide form what each column of y holds: a dict of column to "regression", "classification",
    "binary" or "multiclass"; columns that it does not name are inferred. Labels that
    are not numbers are classes, and so are numbers that are 0 and 1; other whole numbers are
    classes for a classifier and numbers for a regressor. Batched searches and `TaskGrouper` infer
    from all rows, so that every fold agrees; in other searches give the types of rare events:
    "binary" holds even if ``fit`` sees one of the two classes.
loss : str or dict, default="squared_error"
    What training minimises, and so what is predicted. squared_error: the mean. absolute_error: the
    median. huber: close to the mean, robust to outliers beyond 1.35 standard deviations. poisson:
    the mean of counts, as the exponential of the network. pinball: the `quantile`. In wide form
    also a dict of column of y to one of these; it makes the column one of numbers, and other
    columns of numbers have squared errors.
quantile : float, default=0.5
    For ``loss="pinball"``: the share of labels that should lie below the predictions.
class_weight : dict, "balanced" or None, default=None
    Weights of the classes, multiplied with the sample weights; "balanced" gives all classes the
    same total weight. In wide form one of these for all columns of classes, or a dict by column.
task_classes : {"seen", "all"}, default="seen"
    Classes that a task can have in long form: those that it has in ``fit``, so that the
    probabilities of all others are exactly 0; or all classes. A task with only one class in ``fit``
    can have all.
task_sampling : {"rows", "tasks", "sqrt"}, default="rows"
    How often a task is drawn: in proportion to its rows, all tasks equally often, or in proportion
    to the square root of its rows. An epoch is about as long as the table and includes every task
    that has training rows. In wide form, where tasks share rows, losses are weighted accordingly.
task_weighting : str, object, tuple or TorchJD Weighting, default="equal"
    How the losses or gradients of the tasks become one step: the name or an object of a method in
    :mod:`skmtl.weighting`, a tuple of a method for losses and one for gradients, such as
    ``("uncertainty", "pcgrad")``, or a ``Weighting`` of the library TorchJD. It acts in addition to
    `task_sampling`.
record_affinity : bool, int or Affinity, default=False
    Whether to record, in ``affinity_``, what a step of each task alone would do to the losses of
    the others: at every step, every so many steps, or as :class:`skmtl.weighting.Affinity` says.
    The trained model is bitwise identical; each record costs about one forward pass per task.
alpha : float or "auto", default=1e-4
    Decoupled weight decay: each step shrinks weights by ``learning_rate_init * alpha`` of
    their size; biases and embeddings are left alone. "auto" trains members with 1e-4 and with 0.3,
    and keeps what validates best, if there are validation rows and 100 to 3,000 training labels;
    otherwise it is 1e-4. ``chosen_parameters_`` tells.
batch_size : int or "auto", default="auto"
    Rows in a batch, at most: batches of an epoch are about equally large. "auto" is a tenth of the
    training rows, at least 16 and at most 256.
learning_rate : {"constant", "annealed"}, default="constant"
    constant: training stops `n_iter_no_change` epochs after the best one. annealed: rounds at
    `learning_rate_init`, at whose end the rate falls linearly to zero in half as many epochs. Each
    round has twice as many epochs, the first one 10, and continues where the rate of the last one
    began to fall; the first round that hardly lowers the validation loss is the last one. Without
    validation rows the rate falls in the last third of `max_iter` epochs. Weights are averaged in
    any case, so that annealing gains little but where training is long.
learning_rate_init : float, default=1.5e-3
    Learning rate of Adam.
weight_averaging : float, default=0.99
    Decay, per step, of the running mean of the weights, which is validated, kept and used to
    predict; 0 uses the latest weights. It steadies training on few rows. Not in the papers.
max_iter : int, default=1000
    Maximum number of epochs.
early_stopping : bool or "refit", default="refit"
    Whether training stops when the validation loss stops improving; the best weights are kept. With
    "refit" the best epoch only decides how long to train: training then starts again on all rows,
    which takes about half as long again and helps most on small tables. ``history_`` and
    ``callbacks_`` describe the first run. The refit runs copies of the callbacks, which receive the
    first run's validation losses. Rows given as `X_val` are never trained on. If False, all
    `max_iter` epochs are run.
validation_fraction : float, default=0.2
    Of each task floor(`validation_fraction` * its rows) rows are held out for validation, keeping
    at least one row of each class for training; tasks too small for that hold out one row in
    turn. In wide form it is the largest share of the labels of each task that is held out.
n_iter_no_change : int or "auto", default="auto"
    With ``learning_rate="constant"``: epochs without improvement after which training stops; "auto"
    waits for as many epochs as it took to the best one, at least 10 and at most 50.
tol : float, default=1e-4
    With ``learning_rate="constant"``: smallest decrease of the validation loss, relative to it,
    that counts as an improvement.
base : "auto", "boosting", "linear", estimator of scikit-learn or None, default=None
    A base learner that is fitted beside the networks and blended with them. It sees features and
    metadata, encoded as for the networks. "boosting" is scikit-learn's gradient boosting by
    histograms with the loss closest to `loss`; validation rows choose the number and the size of
    its trees. "linear" is ridge or logistic regression; validation rows choose the penalty. "auto"
    is "boosting" if at least 500 rows are trained on and some validate, and otherwise None; for new
    tasks (`hold_out_tasks`) it is "linear", too, from 100 rows on. The shares of the bases, whose
    sum is in ``base_weights_``, minimise the loss of validation rows, so that they need
    `early_stopping`; classes and counts are blended as logarithms. In wide form every column of y
    has a base of its own, without metadata. Not in the papers.
base_sees_task : bool, default=True
    Whether the base sees the task, encoded as the mean of its labels in other rows. Either way,
    tasks that were never seen are the mean of all.
unseen_tasks : {"error", "average"} or dict, default="error"
    What to do in ``predict`` with a task that was never seen, without metadata: raise an
    error that lists it, or use the mean embedding. With metadata it is always predicted. With
    several levels also a dict by level; levels that it does not name raise errors.
hold_out_tasks : bool or "auto", default=False
    Whether tasks that were never seen are predicted by members of their own: `n_members` of them
    or the smallest multiple that is at least 3, trained in the same run, each of which holds out
    `validation_fraction` of the tasks and stops when it is best for those; with `base`, one that
    does not see the task, blended by these tasks. "auto" does so with at least 8 tasks that have
    metadata or ``unseen_tasks="average"``, where the fit holds out rows itself and does not
    continue another. Predictions for known tasks do not depend on it. Not in the papers.
preset : {"fast", "default", "best"}, default="default"
    How much a fit tries. fast: nothing that is "auto" is added (one network with the first values,
    no base, no members for new tasks) and training does not start again on all rows. best: 16
    settings around the given ones are members of one run, of decay, activation, pulls and learning
    rate; up to 4 that validate best, or `n_members` if that is above 1, are kept and averaged.
    ``chosen_parameters_`` tells which. See :doc:`/training`.
time_limit : float, default=None
    Seconds on the clock that training may take, about; None is no limit. At its end the best
    weights so far are kept, and training starts again on all rows only if there is time. With
    ``preset="best"`` the worse half of the settings stops three times on the way. The model then
    depends on the speed of the machine. In a batched search it is the limit of a run.
intervals : {"known", "new"} or bool, default=False
    For whom `predict_interval`, `predict_quantiles` and `predict_set` hold: rows of known tasks,
    rows of tasks that were never seen, or, if True, both, as far as new tasks can be predicted.
    After the fit, members that hold out rows or whole tasks train in one run, with the settings and
    for the epochs that the fit has chosen, and the errors of what they predict for these are kept.
    Predictions do not depend on it. "new" needs at least 10 tasks in long form, and metadata or
    ``unseen_tasks="average"``. See :doc:`/intervals`.
interval_time : str, int or None, default=None
    The column of X with the time, given as `task_id`: dates, or other numbers. Errors are then
    those of the last rows of every task, a share of `validation_fraction`, predicted from earlier
    ones, instead of those of random rows.
n_members : int, default=1
    Number of networks, trained in one run from different initial weights; predictions are their
    mean. Several are more accurate and cost less than as many fits.
warm_start : bool, default=False
    Whether ``fit`` continues from the weights of the previous fit, with its scales.
device : str, default="auto"
    Where to train and predict; "auto" is a GPU if torch sees one.
callbacks : list of skorch callbacks, default=None
    Copies of them observe the training; those that steer it (early stopping, learning rate
    schedules) are refused if `n_members` is above 1, those that score (``EpochScoring``) always.
checkpoint_dir : path-like, default=None
    Folder in which ``fit`` keeps its state about every 30 seconds: after a crash the same call, on
    the same data, goes on from there and ends bitwise identical. Files are deleted when ``fit``
    ends. Several fits may share a folder. It needs a `random_state` and no `callbacks`; see
    :doc:`/saving`.
random_state : int, RandomState instance or None, default=None
    Determines initial weights, the order of rows and the validation rows. The same int gives
    bitwise identical results on the same machine's CPU, whatever the order of the rows of X.
verbose : int, default=0
    1 shows a progress bar, if the output is a terminal.
"""

COMMON_ATTRIBUTES = """
tasks_ : Index or dict
    Task labels, sorted if they can be; in wide form the columns of y. With several levels of ids a
    dict of Index by level; an id of an inner nested level is the tuple of labels up to its own.
task_types_ : dict
    In wide form what each task is: "regression", "binary" or "multiclass".
chosen_parameters_ : dict
    Values of parameters that were "auto" and were chosen by validation, by name.
module_ : torch.nn.Module
    The networks of all members.
history_ : DataFrame
    One row per member and epoch: training and validation loss, and numbers that callbacks
    recorded.
task_weights_ : DataFrame
    One row per member and epoch, one column per task: mean weight in the epoch's batches.
affinity_ : DataFrame
    With `record_affinity`: one row for each task that steps, one column for each that is affected.
affinity_history_ : DataFrame
    The same for every member and epoch.
candidate_choices_ : DataFrame
    With `task_weighting` by :class:`skmtl.weighting.ITMTL`: one row per member, epoch and step,
    with the candidate that was chosen and its total transference.
candidate_transferences_ : DataFrame
    The same rows, one column per candidate: its total transference, NaN where it was none.
n_iter_ : int
    Epochs run by the member that ran longest.
device_ : str
    Where the model was trained.
callbacks_ : list
    The callbacks after training.
metadata_names_ : list
    Columns of metadata that are used; with several levels of ids, pairs of a level and a column.
base_weights_ : Series
    With `base`, its share in predictions: by task in wide form, otherwise one number.
feature_importances_ : ndarray of shape (n_columns,)
    What shuffling each column of X adds to the loss of rows that ``fit`` has held out; see
    :doc:`/report`. Not of `ParetoHypernet`.
n_features_in_ : int
    Columns of X, including task id and metadata.
feature_names_in_ : ndarray
    Their names, if all are strings.
"""

SHARED_ATTRIBUTES = (
    COMMON_ATTRIBUTES
    + """
residual_std_ : Series
    With `intervals`, the standard deviation of errors of rows that were not trained on, in the
    units of y, by task; for several numbers per row a DataFrame.
"""
)

ATTRIBUTES = (
    SHARED_ATTRIBUTES
    + """
task_embeddings_ : DataFrame or dict
    One row per task; with several members the columns have two levels, member and dimension. With
    several levels of ids a dict of these by level; of inner nested levels they are deviations from
    the outer id.
"""
)

CLASSIFIER_ATTRIBUTES = """
classes_ : ndarray of shape (n_classes,) or dict
    Sorted classes; in wide form a dict of them by task, or, if y has several columns of 0 and 1
    only (scikit-learn's multi-label form), the numbers of the columns, as of
    scikit-learn's `MLPClassifier` (of two columns ``[[0, 1], [0, 1]]``).
classes_per_task_ : dict of ndarray
    Classes that each task can have.
"""

PARETO_PARAMETERS = """
early_stopping : bool or "refit", default=True
    As for the other estimators: whether the validation loss stops training, with "refit" followed
    by training on all rows.
metadata : list of str or int, DataFrame, or None, default=None
    Features of tasks, appended to the features of their rows: columns of X that are constant within
    each task, or a table with one row per task, indexed by task id; in wide form by column of y.
task_types : {"infer", "regression", "classification"} or dict, default="infer"
    What y holds. In wide form a dict of column to "regression", "classification", "binary" or
    "multiclass"; columns that it does not name are inferred. What is not a number is a class there,
    and so are numbers that are all 0 or 1; other numbers are numbers, or with "classification"
    classes if they are whole. In long form and with one task y holds numbers, unless it is
    "classification".
loss : {"squared_error", "absolute_error", "huber", "pinball"} or dict, default="squared_error"
    What training minimises where y holds numbers; see `MultiTaskRegressor`.
task_sampling : {"rows", "tasks", "sqrt"}, default="rows"
    In long form how often the rows of a task are drawn: as often as it has rows, all tasks equally
    often, or by the square root of their rows. The loss of a task is the mean over its rows, in
    any case.
preference : array-like of shape (T,), dict or None, default=None
    What `predict` predicts with by default: a weight for each task, in the order of ``tasks_`` or
    by name; non-negative, of any scale, more weight on a task means a lower loss of it. None is
    equal weights. Training does not depend on it.
solver : {"linear", "pareto", "chebyshev", "epo"}, default="linear"
    How a preference becomes weights of the losses in a step: the preference itself; the paper's
    region constraints; the largest weighted loss alone; exact Pareto optimal search, by a linear
    program for each preference and step (slow). "linear" follows a preference most closely on
    tables, and is blind to concave parts of a front; the others are not.
n_preferences : int, default=4
    Preferences in a step, of every member.
n_reference_vectors : int, default=10
    Of ``solver="pareto"``: vectors that divide the losses into regions, drawn in every step.
restoration : float, default=0.2
    Of ``solver="pareto"``: share of the steps of a preference that look at active constraints
    alone, so that losses may rise on the way to its region, up to that of the best constant; with 0
    nothing moves along a front that is reached. In the paper's text there are no such steps, in the
    code of Pareto MTL they are the first fifth.
preferences : {"uniform", "dirichlet"} or array-like of shape (P, T), default="dirichlet"
    Where the preferences of a step come from: uniform on the simplex, a Dirichlet distribution, or
    some of a fixed set, with a column for each task in the order of ``tasks_``; of shape
    (n_members, P, T) a set for each member. For ``solver="pareto"`` the first two are
    distributions of p, the direction of losses.
concentration : float or "auto", default="auto"
    Of ``preferences="dirichlet"``, of each task: below 1 corners are more likely than the centre.
    "auto" is 0.5, with T > 4 tasks 2 / T, so that with many tasks, too, some preferences are for
    one of them.
weight_scale : {"none", "sum_abs"}, default="none"
    Whether the weights of the losses are scaled in every step such that their absolute values have
    the sum T. Those of "pareto" may be negative, so that their plain sum is no scale.
unseen_tasks : {"error", "average"}, default="error"
    What to do in ``predict`` with a task that was never seen, without metadata: raise an
    error that lists it, or predict it by the mean of the outputs of all trained tasks. With
    metadata it is always predicted, by that mean with its own metadata.
"""


def _pieces(text):
    """Split documentation into a dict of name to lines."""
    entries = {}
    for line in text.strip().splitlines():
        if not line.startswith(" "):
            name = line.split(" : ")[0]
            entries[name] = []
        entries[name].append(line)
    return entries


def parameters_of(cls):
    """Return the documentation of the parameters in the docstring of a class."""
    text = inspect.getdoc(cls).split("Parameters\n----------\n")[1]
    return text.split("\n\n")[0] + "\n"


def _with_default(lines, default):
    """Return the lines of a parameter with the default that the constructor has."""
    head, equals, text = lines[0].partition("default=")
    if equals and ast.literal_eval(text) != default:
        head += equals + (f'"{default}"' if isinstance(default, str) else repr(default))
        return [head, *lines[1:]]
    return lines


def document(*texts, architecture=None, attributes=SHARED_ATTRIBUTES):
    """Return a decorator that fills ``{parameters}`` and ``{attributes}`` in a class docstring.

    Of several texts about a parameter, besides `PARAMETERS` and the architecture whose parameters
    the class takes over, the last one counts; a parameter without one is an error.
    """

    def decorate(cls):
        if cls.__doc__ is None:
            # docstrings are absent when Python runs with -OO
            return cls
        taken = "" if architecture is None else parameters_of(architecture)
        known = _pieces(PARAMETERS) | _pieces(taken) | _pieces("".join(texts))
        signature = inspect.signature(cls).parameters
        known_lines = [_with_default(known[n], p.default) for n, p in signature.items()]
        parameters = "\n".join(line for lines in known_lines for line in lines)
        return fill(cls, parameters=parameters, attributes=attributes)

    return decorate
