"""Tools that fill parts shared by several docstrings into them."""

import re
from textwrap import indent


def fill(documented, **texts):
    """Replace names in braces in a docstring by texts, indented as the braces are.

    Parameters
    ----------
    documented : class or function
        Its docstring is changed.
    **texts : dict of str
        The text for each name.

    Returns
    -------
    class or function
        The same object.
    """
    # docstrings are absent when Python runs with -OO
    docstring = documented.__doc__ or ""
    for name, text in texts.items():
        for spaces in set(re.findall(rf"^( *)\{{{name}\}}", docstring, re.MULTILINE)):
            filling = indent(text.strip("\n"), spaces)
            docstring = docstring.replace(f"\n{spaces}{{{name}}}", f"\n{filling}")
    documented.__doc__ = docstring
    return documented


def shared(**texts):
    """Return a decorator that fills texts into a docstring; see `fill`."""
    return lambda documented: fill(documented, **texts)
