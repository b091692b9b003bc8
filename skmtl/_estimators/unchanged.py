"""A fit that fails leaves the estimator as it was."""

from contextlib import contextmanager


@contextmanager
def unchanged_on_failure(estimator):
    """Restore the attributes of an estimator if what happens inside fails or is interrupted."""
    before = dict(vars(estimator))
    try:
        yield
    except BaseException:
        vars(estimator).clear()
        vars(estimator).update(before)
        raise
