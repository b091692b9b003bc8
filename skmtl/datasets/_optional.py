"""Import optional packages inside functions, so that `import skmtl.datasets` does not need them."""

import importlib


def import_extra(package, extra):
    """Import a package of one of the optional extras, or say how to install it.

    Parameters
    ----------
    package : str
        Name under which the package is imported.
    extra : str
        The extra of `skmtl` that installs it.

    Returns
    -------
    module
        The imported package.
    """
    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise ImportError(
            f"This data set needs the package {package!r}, which is not installed. "
            f'Install it with: pip install "skmtl[{extra}]"'
        ) from error
