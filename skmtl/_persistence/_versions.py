"""Objects with parameters that come from another version of the package."""

import inspect
import warnings

from skmtl._version import __version__
from skmtl.exceptions import VersionWarning

_VERSION = "_skmtl_version"


class VersionedState:
    """Puts the version into the state of an object, and completes the state of an earlier one.

    It is for classes whose constructors only store parameters. Parameters that the state lacks get
    the values of `_parameters_before`: how the class acted before it had them. Those that are not
    listed get their defaults.
    """

    _parameters_before = {}

    def __getstate__(self):
        return {**super().__getstate__(), _VERSION: __version__}

    def __setstate__(self, state):
        state = dict(state)
        # states had no version before
        version = state.pop(_VERSION, None)
        lacking = {}
        for name, parameter in inspect.signature(type(self).__init__).parameters.items():
            if name not in state and parameter.default is not parameter.empty:
                lacking[name] = self._parameters_before.get(name, parameter.default)
        super().__setstate__(lacking | state)
        if version == __version__ and not lacking:
            return
        message = (
            f"this {type(self).__name__} comes from {version or 'an unknown, earlier version'} of "
            f"skmtl, and this is {__version__}. It may predict otherwise, or not at all; fit it "
            "again, or use the version that it comes from."
        )
        if lacking:
            message += f" Parameters that it lacks have the values of then: {lacking}."
        warnings.warn(message, VersionWarning, stacklevel=2)
