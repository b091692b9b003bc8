"""Ending training in other threads: only the main thread is told that a key was pressed."""

from contextlib import contextmanager
from threading import Condition, local

_own = local()


class Interrupted(BaseException):
    """Training was ended by another thread; no `Exception`, which searches survive."""


class Interruption:
    """Ends the training of the threads that work inside `watched`."""

    def __init__(self):
        self._condition, self._n_threads, self._requested = Condition(), 0, False

    @contextmanager
    def watched(self):
        """Have training in this thread end with `Interrupted` after `stop` was called."""
        with self._condition:
            self._n_threads += 1
        _own.interruption = self
        try:
            check_interruption()
            yield
        finally:
            _own.interruption = None
            with self._condition:
                self._n_threads -= 1
                self._condition.notify_all()

    def stop(self):
        """End training in all threads, and wait until they have left `watched`."""
        with self._condition:
            self._requested = True
            self._condition.wait_for(lambda: not self._n_threads)


def check_interruption():
    """Raise `Interrupted` if training in this thread shall end."""
    interruption = getattr(_own, "interruption", None)
    if interruption is not None and interruption._requested:
        raise Interrupted
