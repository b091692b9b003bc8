"""Documentation of the parameters and attributes of the Gumbel-Matrix estimators."""

from skmtl._estimators.docs import SHARED_ATTRIBUTES

GUMBEL_PARAMETERS = """
metadata : list of str or int, DataFrame, or None, default=None
    Facts about tasks, from which the allocation is computed as well: columns of X that are
    constant within each task, or a table with one row per task, indexed by task id; in wide form
    by column of y. They are not features of the rows.
layers : tuple, default=((32, 32), 32)
    Modular layers: for each the widths of the dense layers of a component, as a tuple, or as an
    int for one.
n_components : int or tuple of int, default=4
    Components of each layer, or of all. A layer of one is shared by all tasks.
components : list of lists or None, default=None
    The components of each layer one by one, instead of `layers` and `n_components`: a tuple of
    widths, "identity", or a callable that takes the width of its input and returns a torch module
    that maps (n, width) to (n, w). All outputs of a layer must be of the same width.
heads : {"auto", "own", "shared", "none"}, default="auto"
    What follows the last layer: a linear model for each task, one for all tasks, or nothing, so
    that tasks that use the same components are the same function. "auto" is "own" without
    metadata, and "shared" with metadata, for tasks that were never seen.
activation : {"relu", "tanh", "logistic", "identity"}, default="relu"
    Activation behind the dense layers of components, their last one included.
allocation : {"learned", "shared", "separate"} or array of shape (n_tasks, n), default="learned"
    Which task uses which component: learned; all use all; each has its own share of every layer;
    or an array of 0 and 1, a row for each task in the order of ``tasks_`` (or a DataFrame indexed
    by task), a column for each component of all layers, or of one layer for all of them.
initial_probability : float or array of shape (n_tasks, n), default=0.5
    Probability, before training, that a task uses a component; shapes as of `allocation`. Nearer
    to 1 trains deep networks better.
early_stopping : bool or "refit", default=True
    Whether training stops when the loss on validation rows does not improve any more; the
    best weights are kept. With "refit" that only says how long to train: training then starts
    again, as before but on all rows, for as many epochs as were best. If False, all `max_iter`
    epochs are run.
learning_rate_init : float, default=5e-3
    Learning rate of Adam; that of the allocation is `router_multiplier` times as high.
budget : float, default=1.0
    Share of the connections that may be on: above it there is a penalty.
budget_penalty : float, default=1.0
    Its strength: this times the expected share above the budget is added to the mean loss.
temperature : {"planned", "paper"} or float, default="planned"
    Temperature of the softmax that gradients pass through: 50 / sqrt(t + 1) down to 0.5, where t
    counts updates of tasks ("paper"), so that the floor takes 10,000 of them; the same squeezed
    or stretched so that the floor is reached when half of `max_iter` epochs are over
    ("planned"); or constant.
router_multiplier : float or "auto", default="auto"
    Learning rate of the allocation, as a multiple of `learning_rate_init`. "auto" is 10, or with
    ``task_schedule="one"`` the number of tasks, as in the paper.
max_iter : int, default=300
    Epochs at most.
task_schedule : {"all", "one"}, default="all"
    Whether a step trains all tasks of a batch, or one, as in the paper: tasks in shuffled rounds.
clip_norm : float or None, default=None
    Gradients longer than this are shortened to it, each member's for itself.
inference : {"most_likely", "sampled"}, default="most_likely"
    Whether ``predict`` uses the most likely allocation, or draws one by the probabilities: the
    same one in every call if `random_state` is an int.
unseen_tasks : {"error", "average"}, default="error"
    What to do in ``predict`` with a task that was never seen, without metadata: raise an
    error that lists it, or use the components and the head that tasks have on average. With
    metadata it is always predicted, by the allocation that its facts give.
"""

GUMBEL_ATTRIBUTES = (
    SHARED_ATTRIBUTES
    + """
allocations_ : list of DataFrame
    Which task uses which component, a table of 0 and 1 for each layer; with several members the
    columns have two levels, member and component.
allocation_probabilities_ : list of DataFrame
    The probabilities behind them.
allocation_history_ : DataFrame
    Those probabilities in the course of training: a row per member, epoch and task, a column per
    layer and component.
task_embeddings_ : DataFrame
    The allocations of all layers side by side, one row per task.
task_similarity_ : DataFrame
    Cosine similarity of these rows for every pair of tasks, mean over members.
active_fraction_ : float
    Share of the connections that are on.
"""
)
