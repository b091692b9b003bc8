"""Lines of the table of targets of one experiment."""

from common.summaries import verdict

# those of the experiment that runs
TARGETS = []


def target(experiment, what, bound, got, holds, note=""):
    """Keep one line of the table of targets, and print it."""
    TARGETS.append(
        {
            "experiment": experiment,
            "what": what,
            "target": bound,
            "got": got,
            "result": verdict(holds),
            "note": note,
        }
    )
    print(TARGETS[-1], flush=True)
