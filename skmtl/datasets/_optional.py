"""Import of optional packages inside functions: `import skmtl.datasets` does not need them."""

import importlib


def import_extra(package, extra):
    """Import a package of an optional extra of skmtl; the error tells how to install it."""
    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise ImportError(
            f"This data set needs the package {package!r}, which is not installed. "
            f'Install it with: pip install "skmtl[{extra}]"'
        ) from error
