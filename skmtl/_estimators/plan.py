"""Fit plans: what one estimator trains on, and how several of them train in parallel.

A plain ``fit`` is one plan; a search has one for every candidate and fold.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field, replace
from functools import cached_property

import joblib
import numpy as np
import torch

from skmtl._data.rows import TrainingRows
from skmtl._data.tables import TaskTables
from skmtl._data.targets import Targets
from skmtl._estimators.choices import alternatives
from skmtl._sklearn_compat import _num_samples
from skmtl.architectures import NetworkShape
from skmtl.exceptions import ValidationWarning
from skmtl.nn import member_generators
from skmtl.training import ClassLoss, TaskRows

# what the parameter `base` may be, besides an estimator of scikit-learn
BASES = {"auto", "boosting", "linear"}
# labels to train on from which `base="auto"` has bases: a fifth as many choose their shares
_FEWEST_FOR_BOOSTING, _FEWEST_FOR_LINEAR = 500, 100
# may differ between members, besides the `member_parameters` of an architecture
MEMBER_PARAMETERS = ("learning_rate_init", "alpha", "weight_averaging")


@dataclass
class FitPlan:
    """Everything that one estimator trains on.

    `splits` are one pair of training and validation rows (or None) for all members, or one for
    each. The rows of `refit` are trained on again, for as many epochs as the validated run has
    chosen. Tasks that validate only have `new_metadata` of shape (n_new, d_m), in the caller's
    units.
    """

    estimator: object
    tables: TaskTables
    targets: Targets
    splits: list
    seeds: np.ndarray
    refit: TrainingRows | None = None
    new_metadata: np.ndarray | None = None
    # a plan of members that hold out whole tasks, and predict those that were never seen
    new_tasks: FitPlan | None = None
    holds_out_tasks: bool = False
    # rows that intervals are calibrated by, out of sample; None without intervals
    interval_rows: TrainingRows | None = None
    # values of parameters that validation chooses, or lists of one for each member; None before
    chosen: dict | None = None
    # whether the estimator keeps what its reports need; folds of a search do not
    for_reports: bool = True
    # what shuffling each column of X adds to the validation loss (n_columns,)
    importances: np.ndarray | None = None
    # what candidates on the same rows share
    shared: dict = field(default_factory=dict, repr=False)

    @cached_property
    def architecture(self):
        return self.estimator._architecture()

    @property
    def sizes(self):
        """Number of tasks, and of ids by level."""
        return self.tables.n_tasks, self.tables.level_sizes

    @property
    def train(self):
        """Training rows of the first member."""
        return self.splits[0][0]

    @property
    def valid(self):
        """Validation rows of the first member, or None."""
        return self.splits[0][1]

    @property
    def member_splits(self):
        """One split for each member."""
        return self.splits if len(self.splits) > 1 else self.splits * len(self.seeds)

    def key(self):
        """Return a hash of what plans trained in one run must have in common."""
        settings = common_settings(self.estimator)
        parts = [(part.kind, part.n_outputs) for part in self.targets.parts]
        by_task = self.targets.wide or self.architecture.fixed_tasks
        n_tasks = by_task and self.tables.n_tasks
        shapes = self.tables.n_features, self.tables.n_metadata, parts, n_tasks
        return joblib.hash((settings, shapes, self.valid is None, self.refit is None))

    def batch_rows(self, train=None):
        """Return the batch size of a member that trains on `train`."""
        n_rows = len(self.train if train is None else train)
        batch_size = self.estimator.batch_size
        if batch_size != "auto":
            return min(batch_size, n_rows)
        # about ten steps an epoch on small tables, not too many on large ones
        return int(np.clip(n_rows // 10, 16, 256))

    @property
    def parts(self):
        """This plan, and that for new tasks, if there is one."""
        return [self] if self.new_tasks is None else [self, self.new_tasks]

    @property
    def n_members(self):
        """Number of members that train."""
        return sum(len(plan.seeds) for part in self.parts for plan in alternatives(part))

    def setting(self, name):
        """Return a parameter of the estimator or of its architecture, or a list by member."""
        if name in (self.chosen or ()):
            return self.chosen[name]
        owner = self.estimator if hasattr(self.estimator, name) else self.architecture
        return getattr(owner, name, None)

    @property
    def bases(self):
        """The base learners that are blended with the networks, a tuple."""
        base = self.estimator.base
        if not isinstance(base, str) or base != "auto":
            return () if base is None else (base,)
        if self.estimator.preset == "fast" or self.valid is None:
            return ()
        n_labels, bases = self.train.n_labels, []
        if n_labels >= _FEWEST_FOR_BOOSTING:
            bases.append("boosting")
        # networks have a linear path; but what best fits known tasks may not serve new ones
        if self.holds_out_tasks and n_labels >= _FEWEST_FOR_LINEAR:
            bases.append("linear")
        return tuple(bases)

    def rows(self, train, valid=None):
        """Return training rows, then validation rows, as scaled tensors."""
        dtype = torch.get_default_dtype()
        rows = train if valid is None else TrainingRows.concatenate(train, valid)
        metadata = self.tables.scaled_metadata(self.new_metadata)
        if metadata is not None:
            metadata = torch.as_tensor(metadata, dtype=dtype).unsqueeze(0)
        levels = None
        if self.tables.level_sizes:
            levels = torch.as_tensor(self.tables.combinations).unsqueeze(0)
        return TaskRows(
            features=torch.as_tensor(self.tables.scale(rows.features), dtype=dtype),
            tasks=None if rows.shared_rows else torch.as_tensor(rows.tasks),
            targets=torch.as_tensor(self.targets.scale(rows.targets), dtype=dtype),
            # of mean 1, so that the loss of a batch does not depend on their unit
            weights=torch.as_tensor(rows.weights / train.mean_weight, dtype=dtype),
            n_tasks=self.tables.n_tasks,
            n_new=0 if self.new_metadata is None else len(self.new_metadata),
            metadata=metadata,
            levels=levels,
            level_sizes=self.tables.level_sizes,
        )


def check_validation(estimator, tables, targets, X_val, y_val):
    """Return the caller's own validation rows, and the metadata of new tasks; or None."""
    if X_val is None and y_val is None:
        return None, None
    if X_val is None or y_val is None:
        raise ValueError(
            "X_val and y_val must be given together; without either, rows of X are set aside."
        )
    if not estimator.early_stopping:
        raise ValueError("X_val is only used for early stopping; pass early_stopping=True.")
    sizes = _num_samples(X_val), _num_samples(y_val)
    if sizes[0] != sizes[1]:
        raise ValueError(f"X_val and y_val have inconsistent numbers of samples: {sizes}.")
    X_val, *labels = estimator._check_rows(X_val, y_val, None, targets.transform)
    allow = estimator._validates_new_tasks
    features, tasks, new_metadata = tables.validation_rows(X_val, estimator, allow)
    return TrainingRows(features, tasks, *labels), new_metadata


def split_rows(estimator, rows, valid, tables, targets, seeds):
    """Return pairs of training and validation rows (or None): one, or one for each member."""
    if valid is not None or not estimator.early_stopping:
        return [(rows, valid)]
    # members set different rows aside, so that together they train on all rows
    by_task = not tables.level_sizes
    if by_task:
        kept = targets.rows_to_keep(rows)
    else:
        kept = targets.rows_to_keep(replace(rows, tasks=np.zeros_like(rows.tasks)))
        of_ids = tables.rows_to_keep(rows)
        kept = of_ids if kept is None else kept | of_ids
    splits = [
        rows.split(estimator.validation_fraction, generator, kept=kept, by_task=by_task)
        for generator in member_generators(seeds, "validation")
    ]
    if all(len(held_out) for _, held_out in splits):
        return splits
    warnings.warn(
        f"no task has enough rows for validation_fraction={estimator.validation_fraction:g}, so "
        f"training runs all {estimator.max_iter} epochs. Raise validation_fraction, pass X_val and "
        "y_val, or set early_stopping=False and choose max_iter by cross-validation.",
        ValidationWarning,
        stacklevel=4,
    )
    return [(rows, None)]


def common_settings(estimator):
    """Return what members of one run have in common: two classes and their parameters."""
    architecture = estimator._architecture()
    varying = {*MEMBER_PARAMETERS, *estimator._member_parameters, "random_state", "checkpoint_dir"}
    varying.update(estimator._architecture_parameters())
    return (
        type(estimator),
        _without(estimator.get_params(deep=False), varying),
        type(architecture),
        _without(architecture.get_params(deep=False), architecture.member_parameters),
    )


def _without(parameters, names):
    return {name: value for name, value in parameters.items() if name not in names}


def build_module(plans):
    """Build an untrained module with the members of all plans, which have the same key."""
    first, sizes = plans[0], [plan.tables.level_sizes for plan in plans]
    shape = NetworkShape(
        n_tasks=max(plan.tables.n_tasks for plan in plans),
        n_features=first.tables.n_features,
        n_metadata=first.tables.n_metadata,
        n_outputs=first.targets.n_outputs,
        wide=first.targets.wide,
        levels=tuple(first.tables.names) if first.tables.level_sizes else (),
        level_sizes=tuple(map(max, zip(*sizes, strict=True))),
        nested=first.estimator.task_levels == "nested",
    )
    seeds = np.concatenate([plan.seeds for plan in plans])
    return first.architecture.build(shape, seeds, member_settings(plans))


def member_settings(plans):
    """Return architecture settings by name, a list with a value for every member."""
    values = {}
    for plan in plans:
        names = plan.architecture.member_parameters
        settings = {name: getattr(plan.architecture, name) for name in names}
        settings |= plan.architecture.task_settings(plan.tables.tasks)
        of_members = {name: [value] * len(plan.seeds) for name, value in settings.items()}
        for name in plan.architecture.get_params(deep=False):
            if name in (plan.chosen or ()):
                of_members[name] = per_member([plan], name)
        for name, value in of_members.items():
            values.setdefault(name, []).extend(value)
    return values


def per_member(plans, name):
    """Return a parameter as a list with a value for every member."""
    values = []
    for plan in plans:
        value = plan.setting(name)
        values += value if isinstance(value, list) else [value] * len(plan.seeds)
    return values


def stacked_rows(plans):
    """Stack the rows of all plans in one table; plans that have the same rows share them.

    Returns the table and lists of each member's training and validation row numbers.
    """
    parts, starts, n_rows = {}, {}, 0
    train_rows, valid_rows, members = [], [], []
    for plan in plans:
        for train, valid in plan.member_splits:
            key = id(train)
            if key not in parts:
                parts[key], starts[key] = plan.rows(train, valid), n_rows
                n_rows += len(parts[key])
            start = starts[key]
            numbers = torch.arange(start, start + len(parts[key])).tensor_split([len(train)])
            train_rows.append(numbers[0])
            valid_rows.append(numbers[1])
            members.append(parts[key])
    tables = list(parts.values())
    if len(tables) == 1:
        return tables[0], train_rows, valid_rows
    n_tasks = max(table.n_tasks for table in tables)
    n_new = max(table.n_new for table in tables)
    metadata = None
    if tables[0].metadata is not None:
        metadata = torch.cat([table.padded_metadata(n_tasks, n_new) for table in members])
    tasks = None
    if not tables[0].shared_rows:
        tasks = torch.cat([table.renumbered(n_tasks) for table in tables])
    levels = None
    if tables[0].levels is not None:
        levels = torch.cat([table.padded_levels(n_tasks) for table in members])
    together = TaskRows(
        features=torch.cat([table.features for table in tables]),
        tasks=tasks,
        targets=torch.cat([table.targets for table in tables]),
        weights=torch.cat([table.weights for table in tables]),
        n_tasks=n_tasks,
        n_new=n_new,
        metadata=metadata,
        levels=levels,
        level_sizes=tuple(map(max, zip(*(table.level_sizes for table in tables), strict=True))),
    )
    return together, train_rows, valid_rows


def _allowed(plan, allowed):
    """Return the classes of tasks (1, T, C) for each member; held-out tasks may have all."""
    if not plan.holds_out_tasks:
        return [allowed] * len(plan.seeds)
    of_members = []
    for train, _ in plan.member_splits:
        own = allowed.clone()
        own[:, np.setdiff1d(np.arange(allowed.shape[1]), train.tasks)] = True
        of_members.append(own)
    return of_members


def stacked_criterion(plans):
    """Return the loss of all members; the classes of a task may depend on the fold."""
    losses = [plan.targets.criterion() for plan in plans]
    alone = len(plans) == 1 and not plans[0].holds_out_tasks
    if not isinstance(losses[0], ClassLoss) or plans[0].targets.wide or alone:
        return losses[0]
    n_tasks = max(loss.allowed.shape[1] for loss in losses)
    pad = torch.nn.functional.pad
    return ClassLoss(
        torch.cat(
            [
                pad(allowed, (0, 0, 0, n_tasks - allowed.shape[1]), value=True)
                for loss, plan in zip(losses, plans, strict=True)
                for allowed in _allowed(plan, loss.allowed)
            ]
        )
    )
