"""What every estimator can do with files."""

from skmtl._persistence._model import save_model
from skmtl._persistence._registry import saveable
from skmtl._persistence._versions import VersionedState


@saveable
class ModelFileMixin(VersionedState):
    """Gives an estimator the method `save`."""

    def save(self, path):
        """Save this model to a file that :func:`skmtl.load` reads, without pickle.

        The file is in the format of safetensors: arrays and text, no code. It holds parameters and
        everything learned, but no training rows. An existing file is replaced, as a whole or not
        at all. Objects of scikit-learn that the model contains are stored by skops, if installed.

        Parameters
        ----------
        path : str or path-like
            The file, of any name; the folder must exist.

        Raises
        ------
        ModelFileError
            If the model contains something that a file cannot hold, such as a lambda; the message
            names the parameter.
        OSError
            If the file cannot be written; no part of it is left.
        """
        save_model(self, path)
