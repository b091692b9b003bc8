"""The scikit-learn contract: parameters, checks, fit, predict, persistence.

It knows no architecture: a subclass builds its module and says what its parameters mean.
"""

import copy
import math
import warnings
from abc import ABCMeta, abstractmethod
from numbers import Integral, Real

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.utils import _safe_indexing, check_consistent_length, check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import _check_sample_weight, check_is_fitted

from skmtl._columns import as_table
from skmtl._device import one_thread, resolve_device
from skmtl._examples import Examples
from skmtl._tables import TaskTables, history_table
from skmtl.exceptions import ValidationWarning
from skmtl.nn import member_generators
from skmtl.training import MemberNet, ProgressBar, TaskRows, check_callbacks, predict_all


class BaseMultiTaskEstimator(BaseEstimator, metaclass=ABCMeta):
    """What all estimators share; a subclass has its parameters and `_build_module`."""

    _parameter_constraints = {
        "task_id": [str, Integral, "array-like", None],
        "metadata": [str, Integral, "array-like", None],
        "alpha": [Interval(Real, 0, None, closed="left")],
        "batch_size": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "learning_rate_init": [Interval(Real, 0, None, closed="neither")],
        "weight_averaging": [Interval(Real, 0, 1, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="left")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
        "unseen_tasks": [StrOptions({"error", "average"})],
        "n_members": [Interval(Integral, 1, None, closed="left")],
        "warm_start": ["boolean"],
        "device": [str],
        "callbacks": [list, tuple, None],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    @abstractmethod
    def _build_module(self, n_tasks, n_features, n_metadata, n_outputs, seeds):
        """Return an untrained module.

        Parameters
        ----------
        n_tasks, n_features, n_metadata, n_outputs : int
        seeds : ndarray of shape (n_members,)

        Returns
        -------
        MemberModule
        """

    @abstractmethod
    def _check_targets(self, y):
        """Return y as a float64 array of shape (n, n_outputs), or raise an error."""

    def fit(self, X, y, sample_weight=None, X_val=None, y_val=None):
        """Train one network per task, all together.

        Parameters
        ----------
        X : DataFrame or array of shape (n, n_columns)
            Features, task id and metadata, as the constructor's parameters say.
        y : array-like of shape (n,) or (n, n_outputs)
            Targets.
        sample_weight : array-like of shape (n,), optional
            A weight of 2 means the same as the row twice, 0 the same as no row.
        X_val, y_val : as X and y, optional
            Rows for early stopping, instead of a part of X.

        Returns
        -------
        self

        Raises
        ------
        ValueError, TypeError
            If a table, a label or a parameter cannot be used; the message says what to change.
        DivergenceError
            If training diverges.
        """
        self._validate_params()
        tables = TaskTables(self.task_id, self.metadata)
        X, y, weights = self._check_rows(X, y, sample_weight)
        features, tasks = tables.fit(X, self)
        examples = Examples(features, tasks, y, weights).canonical()
        valid = self._check_validation(tables, X_val, y_val, y.shape[1])
        seeds = self._member_seeds(self.n_members)
        train, valid = self._hold_out(examples, valid, seeds)
        previous = None
        if self.warm_start and hasattr(self, "module_"):
            previous = dict(self.module_.named_parameters())
            tables = self._tables.resumed(tables)
        else:
            tables.fit_scalers(train)
        n_metadata = len(tables.metadata_names)
        module = self._build_module(
            len(tables.tasks), features.shape[1], n_metadata, y.shape[1], seeds
        )
        if previous is not None:
            self._resume(module, previous)
        net = self._train(module, tables, train, valid, seeds)
        self._tables, self.module_ = tables, net.module_
        self._set_history(net)
        return self

    def _check_rows(self, X, y, sample_weight):
        """Check y and weights against X; rows of weight 0 are dropped before anything sees them."""
        if y is None:
            raise ValueError(
                f"This {type(self).__name__} estimator requires y to be passed, but the target y "
                "is None."
            )
        X = as_table(X)
        y = self._check_targets(y)
        check_consistent_length(X, y)
        if sample_weight is None:
            return X, y, np.ones(len(y))
        weights = _check_sample_weight(sample_weight, y, dtype=np.float64, ensure_non_negative=True)
        if not (weights > 0).any():
            raise ValueError("Sample weights must contain at least one non-zero number.")
        kept = np.flatnonzero(weights > 0)
        return _safe_indexing(X, kept), y[kept], weights[kept]

    def _check_validation(self, tables, X_val, y_val, n_outputs):
        """The caller's own validation rows, or None."""
        if X_val is None and y_val is None:
            return None
        if X_val is None or y_val is None:
            raise ValueError("X_val and y_val must be given together.")
        if not self.early_stopping:
            raise ValueError("X_val is only used for early stopping; pass early_stopping=True.")
        X_val, y_val, weights = self._check_rows(X_val, y_val, None)
        if y_val.shape[1] != n_outputs:
            raise ValueError(f"y_val has {y_val.shape[1]} outputs, but y has {n_outputs}.")
        features, tasks = tables.known(X_val, self)
        return Examples(features, tasks, y_val, weights)

    def _hold_out(self, examples, valid, seeds):
        """Training and validation rows; the latter are None if there are none."""
        if valid is not None or not self.early_stopping:
            return examples, valid
        generator = member_generators(seeds[:1], "validation")[0]
        train, valid = examples.split(self.validation_fraction, generator)
        if len(valid.tasks):
            return train, valid
        warnings.warn(
            f"no task has enough rows for validation_fraction={self.validation_fraction:g}, so "
            f"training runs all {self.max_iter} epochs. Raise validation_fraction, pass X_val and "
            "y_val, or set early_stopping=False and choose max_iter by cross-validation.",
            ValidationWarning,
            stacklevel=3,
        )
        return train, None

    def _member_seeds(self, n_members):
        """One seed per member; those of the first members do not depend on how many there are."""
        return check_random_state(self.random_state).randint(np.iinfo(np.int32).max, size=n_members)

    def _train(self, module, tables, train, valid, seeds, max_steps=None):
        """Run the loop over scaled rows.

        Parameters
        ----------
        module : MemberModule
            Its tasks are those of `tables`.
        tables : TaskTables
        train, valid : Examples
            `valid` may be None.
        seeds : ndarray of shape (n_members,)
        max_steps : int, optional
            Bound on the steps, besides `max_iter` epochs.

        Returns
        -------
        MemberNet
            With the trained module.
        """
        device = resolve_device(self.device)
        callbacks = check_callbacks(self.callbacks, self.n_members)
        if self.verbose:
            callbacks.append(ProgressBar(type(self).__name__))
        n_train = len(train.tasks)
        batch_size, max_epochs = self._batch_rows(n_train), self.max_iter
        if max_steps is not None:
            max_epochs = min(max_epochs, math.ceil(max_steps / math.ceil(n_train / batch_size)))
        table = self._task_rows(tables, train, valid).to(device)
        net = MemberNet(
            module.to(device),
            seeds=seeds,
            learning_rate=self.learning_rate_init,
            weight_decay=self.alpha,
            averaging=self.weight_averaging,
            batch_size=batch_size,
            max_epochs=max_epochs,
            patience=self.n_iter_no_change,
            tol=self.tol,
            device=str(device),
            callbacks=callbacks,
        )
        rows = torch.arange(len(table)).tensor_split([n_train])
        valid_rows = None if valid is None else [rows[1]] * len(seeds)
        with one_thread():
            return net.fit_members(table, [rows[0]] * len(seeds), valid_rows)

    def _task_rows(self, tables, train, valid):
        """Training rows, then validation rows, as scaled tensors."""
        dtype = torch.get_default_dtype()
        rows = train if valid is None else Examples.concatenate(train, valid)
        metadata = tables.scaled_metadata()
        return TaskRows(
            features=torch.as_tensor(tables.feature_scaler.transform(rows.features), dtype=dtype),
            tasks=torch.as_tensor(rows.tasks),
            targets=torch.as_tensor(tables.target_scaler.transform(rows.targets), dtype=dtype),
            # of mean 1, so that the loss of a batch does not depend on their unit
            weights=torch.as_tensor(rows.weights / train.weights.mean(), dtype=dtype),
            n_tasks=len(tables.tasks),
            metadata=None
            if metadata is None
            else torch.as_tensor(metadata, dtype=dtype).unsqueeze(0),
        )

    def _batch_rows(self, n_rows):
        if self.batch_size != "auto":
            return min(self.batch_size, n_rows)
        # about ten steps an epoch on small tables, not too many on large ones
        return int(np.clip(n_rows // 10, 16, 256))

    @staticmethod
    def _resume(module, state):
        """Start from the weights of the previous fit."""
        shapes = {name: p.shape for name, p in module.named_parameters()}
        changed = [
            name
            for name in {*shapes, *state}
            if shapes.get(name) != getattr(state.get(name), "shape", None)
        ]
        if changed:
            raise ValueError(
                "warm_start=True continues the previous fit, but parameters that decide the shape "
                f"of {changed[0]!r} have changed since; set warm_start=False to start afresh."
            )
        for name, parameter in module.named_parameters():
            parameter.data = state[name].detach().to(parameter, copy=True)

    def _set_history(self, net):
        """Keep what the loop recorded, and let go of net and rows."""
        self.device_ = net.device
        self.n_iter_ = int(net.clock_.n_iter.max())
        self.history_ = history_table(
            net.clock_.records(), net.history if self.n_members == 1 else None
        )
        self.callbacks_ = [
            callback for _, callback in net.callbacks_ if not isinstance(callback, ProgressBar)
        ]

    def _predict(self, X):
        """Predictions in the caller's units, mean over members."""
        check_is_fitted(self, "module_")
        tables = self._tables
        query = tables.query(X, self.unseen_tasks, self)
        with one_thread():
            scaled = predict_all(
                self.module_, query.features, query.networks, query.tasks, query.metadata
            )
        y = tables.target_scaler.inverse_transform(scaled)
        return y[:, 0] if y.shape[1] == 1 else y

    @property
    def tasks_(self):
        """Task labels, in the order of the embeddings."""
        check_is_fitted(self, "module_")
        return self._tables.tasks

    def __getstate__(self):
        state = super().__getstate__()
        module = state.get("module_")
        if module is not None and next(module.parameters()).is_cuda:
            # a model must load where there is no GPU
            state = {**state, "module_": copy.deepcopy(module).cpu()}
        return state

    def __setstate__(self, state):
        super().__setstate__(state)
        if "module_" in state and str(self.device_).startswith("cuda"):
            if torch.cuda.is_available():
                self.module_.to(self.device_)
            else:
                self.device_ = "cpu"
