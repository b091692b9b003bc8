"""The contract of an architecture: parameters that build the module of a stack of members.

Training uses only this contract; the sizes of the data are passed as a `NetworkShape`.
"""

from abc import ABCMeta, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator

from skmtl._persistence import VersionedState, saveable
from skmtl.architectures._layers import layer_sizes
from skmtl.nn import MemberModule


@dataclass(frozen=True)
class NetworkShape:
    """Sizes of the data for which a module is built.

    An estimator passes it to `Architecture.build`.

    Parameters
    ----------
    n_tasks : int
        Largest number of tasks of any member.
    n_features : int
        Number of features of a row.
    n_metadata : int
        Number of metadata of a task.
    n_outputs : int
        Number of outputs of every task.
    wide : bool, default=False
        Whether all tasks share the rows (wide form).
    levels : tuple, default=()
        Names of the levels of ids, where a task is a combination of several.
    level_sizes : tuple of int, default=()
        Largest number of ids of each level of any member.
    nested : bool, default=False
        Whether the levels are nested, from the outermost.

    Examples
    --------
    >>> from skmtl.architectures import NetworkShape
    >>> NetworkShape(n_tasks=10, n_features=3, n_metadata=2, n_outputs=1).n_inputs
    5
    """

    n_tasks: int
    n_features: int
    n_metadata: int
    n_outputs: int
    wide: bool = False
    levels: tuple[Any, ...] = ()
    level_sizes: tuple[int, ...] = ()
    nested: bool = False

    @property
    def n_inputs(self) -> int:
        """Number of inputs of a network that reads metadata as features."""
        return self.n_features + self.n_metadata


@saveable
class Architecture(VersionedState, BaseEstimator, metaclass=ABCMeta):
    """Base class of architectures, which determine what the networks of the tasks share.

    A subclass stores its parameters as every scikit-learn estimator does, lists their allowed
    values in ``_parameter_constraints``, and builds the module. It is passed to an estimator as
    ``architecture=``.

    See Also
    --------
    skmtl.MultiTaskRegressor : Trains it.

    Notes
    -----
    ``member_parameters`` names the parameters that may differ between members of one training
    run, so that a search trains their values together. ``fixed_tasks`` means that shapes depend on
    the number of tasks, so that only members with the same number of tasks train together.
    ``adapts`` means that new tasks can be learned as embeddings alone; the module then has
    ``embeddings``, ``for_new_tasks`` and ``add_tasks`` as :class:`skmtl.nn.TaskHypernetwork` does.
    ``several_levels`` means that `build` returns a module for `levels` of ids if there are any.

    Examples
    --------
    >>> from skmtl import MultiTaskRegressor
    >>> from skmtl.architectures import Architecture
    >>> from skmtl.datasets import make_cubic
    >>> from skmtl.nn import SharedBottomNetwork
    >>> class OneLayer(Architecture):
    ...     def __init__(self, width=8):
    ...         self.width = width
    ...
    ...     def build(self, shape, seeds, members):
    ...         return SharedBottomNetwork(
    ...             shape.n_tasks, shape.n_inputs, shape.n_outputs, seeds=seeds,
    ...             hidden_layer_sizes=(self.width,), head_layer_sizes=(), activation="relu",
    ...         )
    >>> cubic = make_cubic(n_tasks=4, n_rows=30, random_state=0)
    >>> model = MultiTaskRegressor(OneLayer(width=16), task_id="task", max_iter=20, random_state=0)
    >>> model.fit(cubic.data, cubic.target).predict(cubic.data.head(3)).shape
    (3,)
    """

    _parameter_constraints: ClassVar[dict[str, list]] = {}
    member_parameters: ClassVar[tuple[str, ...]] = ()
    fixed_tasks: ClassVar[bool] = False
    adapts: ClassVar[bool] = False
    several_levels: ClassVar[bool] = False

    @abstractmethod
    def build(
        self, shape: NetworkShape, seeds: Sequence[int], members: dict[str, list[Any]]
    ) -> MemberModule:
        """Return an untrained module with one network per task for every member.

        Parameters
        ----------
        shape : NetworkShape
            Sizes of the data.
        seeds : sequence of M ints
            One per member, see `skmtl.nn.member_generators`.
        members : dict of str to list of M values
            Values of `member_parameters` and of `task_settings`, one per member.

        Returns
        -------
        MemberModule
            Its interface is documented in the guide for contributors.
        """

    def task_settings(self, tasks: pd.Index) -> dict[str, Any]:
        """Return checked settings that depend on the tasks; none by default.

        Parameters
        ----------
        tasks : Index
            Labels of the tasks of one estimator.

        Returns
        -------
        dict
            Passed to `build` among `members`.
        """
        return {}

    def loop_settings(self, members: dict[str, list[Any]]) -> dict[str, Any]:
        """Return settings of the training loop that the architecture requires; none by default.

        Parameters
        ----------
        members : dict of str to list of M values
            As for `build`.

        Returns
        -------
        dict
            ``one_task`` (bool): whether every batch holds rows of one task only. ``clip_norm``
            (list of M floats): largest norm of a gradient.
        """
        return {}

    def task_embeddings(self, module: MemberModule) -> np.ndarray | list[np.ndarray] | None:
        """Return a vector that represents each task; None if the module has none.

        Parameters
        ----------
        module : MemberModule
            Trained.

        Returns
        -------
        ndarray of shape (M, n_tasks, d), list of these, or None
            One vector for every task; with several levels, an array for each.
        """
        return None

    def _widths(self, name, at_least=0):
        return layer_sizes(self, name, at_least)
