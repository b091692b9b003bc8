"""Blocks of work whose process was killed are done again.

The system kills processes for want of memory, for example.
"""

import warnings
from concurrent.futures import BrokenExecutor

from skmtl.exceptions import RetryWarning

# of Dask, if the data that it has sent to the killed worker are lost, or tasks kill their workers
_OF_DASK = {"FutureCancelledError", "KilledWorker"}


def _was_killed(error):
    """Return whether an error means that a worker was killed."""
    of_dask = type(error).__module__.startswith("distributed.")
    return isinstance(error, BrokenExecutor) or (of_dask and type(error).__name__ in _OF_DASK)


def with_retries(start, blocks, n_retries):
    """Yield pairs of a block and its result, in order.

    `start` takes a list of blocks and returns an iterable of their results. Blocks that are not
    finished when a process is killed start again, at most `n_retries` times in all.
    """
    left = list(blocks)
    while left:
        n_finished = 0
        try:
            for result in start(left):
                yield left[n_finished], result
                n_finished += 1
            return
        except Exception as error:
            if not _was_killed(error):
                raise
            left = left[n_finished:]
            if not n_retries:
                raise RuntimeError(
                    f"worker processes were killed again and again, with {len(left)} blocks left: "
                    "often there is not enough memory. Use fewer n_jobs or max_members; with "
                    "checkpoint_dir= the same call goes on with what is left."
                ) from error
            warnings.warn(
                f"a worker process was killed; {len(left)} blocks start again, {n_retries} more "
                "time(s) at most. Often there is not enough memory: use fewer n_jobs or "
                "max_members.",
                RetryWarning,
                stacklevel=2,
            )
            n_retries -= 1
