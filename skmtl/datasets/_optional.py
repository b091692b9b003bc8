"""Import optional packages inside functions, so that `import skmtl.datasets` does not need them."""

import importlib


def import_extra(package, extra):
    """Import a package of one of the optional extras of skmtl, or say how to install it."""
    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise ImportError(
            f"This data set needs the package {package!r}, which is not installed. "
            f'Install it with: pip install "skmtl[{extra}]"'
        ) from error
