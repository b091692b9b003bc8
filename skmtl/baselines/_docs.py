"""Documentation of the parameters that baselines have beside those of all estimators."""

BASELINE_PARAMETERS = """
metadata : list of str or int, DataFrame, or None, default=None
    Facts about tasks, which are appended to the features of their rows: columns of X that are
    constant within each task, or a table with one row per task, indexed by task id; in wide form
    by column of y.
unseen_tasks : {"error", "average"}, default="error"
    What to do in ``predict`` with a task that was never seen, without metadata: raise an
    error that lists it, or predict it by the mean of the outputs of all trained tasks. With
    metadata it is always predicted, by that mean for its facts.
one_hot : bool or "auto", default="auto"
    Whether the network is told the task, by an indicator for each; "auto" is yes unless there
    are metadata. False without metadata is one function for all tasks.
hidden_layer_sizes : tuple of int, default=(32, 32, 32)
    Hidden layers: those that tasks share where there is a trunk, else those of each network.
head_layer_sizes : tuple of int, default=()
    Hidden layers of each task's head; without any it is linear.
activation : {"relu", "tanh", "logistic", "identity"}, default="relu"
    Activation behind all hidden layers.
"""

EXPERT_PARAMETERS = """
n_experts : int, default=8
    Experts, shared by all tasks.
hidden_layer_sizes : tuple of int, default=(32, 32)
    Layers of each expert.
head_layer_sizes : tuple of int, default=(32,)
    Hidden layers of each task's tower.
"""

LEVEL_PARAMETERS = """
n_levels : int, default=2
    Levels of experts.
n_task_experts : int, default=1
    Experts of each task on each level.
n_shared_experts : int, default=2
    Experts of all tasks on each level.
hidden_layer_sizes : tuple of int, default=(32,)
    Layers of each expert on each level.
head_layer_sizes : tuple of int, default=(32,)
    Hidden layers of each task's tower.
"""

STITCH_PARAMETERS = """
self_weight : float, default=0.9
    What a task keeps of its own activations at the start; the other tasks share the rest.
"""

SLUICE_PARAMETERS = """
n_subspaces : int, default=2
    Parts of each hidden layer that are stitched on their own.
orthogonality_alpha : float, default=0.1
    Strength of the penalty that makes the subspaces of a layer differ, added to the sum of the
    losses (of y in standard deviations).
"""

TENSOR_PARAMETERS = """
factorization : {"tucker", "tt", "laf"}, default="tucker"
    Form of the tensor of weights: Tucker's, a tensor train, or one matrix factorisation.
rank : int, default=8
    Ranks of the tensor: patterns that a layer of any task combines. Those of the inputs and of the
    outputs are at most as many as these.
"""

RELATION_PARAMETERS = """
relation_alpha : float, default=1e-2
    Strength of the prior, added to the sum of the losses (of y in standard deviations); 1 takes
    it literally, 0 turns it off.
relation_interval : int, default=100
    Steps between two estimates of the covariances.
relations : {"tasks", "all"}, default="tasks"
    What is related: tasks only, or inputs and outputs of the heads as well.
"""

ROAMING_PARAMETERS = """
active_fraction : float, default=0.8
    Part of the units of each shared layer that a task uses at a time.
roaming_interval : int, default=10
    Steps after which each task swaps one unit of each layer for one that it has never used.
"""
