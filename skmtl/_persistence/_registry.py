"""Which classes may be in a model file.

A file only names classes; what a name means is decided here and by the caller, never by the file.
"""

_SAVEABLE = []
_STAND_INS = []


def saveable(cls):
    """Decorate a class whose objects, and those of its subclasses, may be in model files.

    The state that their `__getstate__` returns, by default `vars`, has to consist of what codecs
    know. Objects are restored without calling their constructor. Subclasses outside this package
    are restored only if the caller of `load` names them.
    """
    _SAVEABLE.append(cls)
    return cls


def saved_as(matches, convert):
    """Have values that match written as what they are converted to, such as frames of polars."""
    _STAND_INS.append((matches, convert))


def stand_in(value):
    """Return what is written for a value of no known type: by default the value itself."""
    for matches, convert in _STAND_INS:
        if matches(value):
            return convert(value)
    return value


def is_saveable(cls):
    """Whether objects of a class may be in a model file."""
    return issubclass(cls, tuple(_SAVEABLE))


def is_own(cls):
    """Whether a class belongs to this package."""
    return cls.__module__.partition(".")[0] == "skmtl"


def known_classes():
    """Return the classes of this package that may be in a file, by their name in files."""
    classes, pending = {}, list(_SAVEABLE)
    while pending:
        cls = pending.pop()
        pending += cls.__subclasses__()
        if is_own(cls):
            other = classes.setdefault(own_name(cls), cls)
            if other is not cls:
                raise TypeError(f"{cls} and {other} have the same name in model files.")
    return classes


def own_name(cls):
    """Return the name of a class of this package in files: its subpackage, and its own name."""
    return f"{cls.__module__.split('.')[1].strip('_')}.{cls.__name__}"


def full_name(item):
    """Return the importable name of a class or a function, which other packages are named by."""
    return f"{item.__module__}.{item.__qualname__}"
