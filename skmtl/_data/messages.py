"""Text of labels and names in messages."""

from difflib import get_close_matches

import numpy as np
import pandas as pd


def label_text(label):
    """Return a label of a task, a column or a class as text: 3, not np.int64(3)."""
    if isinstance(label, tuple):
        return f"({', '.join(map(label_text, label))})"
    if isinstance(label, (pd.Timestamp, pd.Timedelta, pd.Period, np.datetime64)):
        return repr(str(label))
    return repr(label.item() if isinstance(label, np.generic) else label)


def labels_text(labels):
    """Return up to ten labels as text."""
    shown = [label_text(label) for label in labels[:10]]
    return f"[{', '.join(shown)}{', ...' * (len(labels) > 10)}]"


def did_you_mean(name, known):
    """Return a question about a name that resembles a misspelt one, or nothing."""
    by_text = {str(label).casefold(): label for label in known}
    close = get_close_matches(str(name).casefold(), by_text, n=1)
    return f" Did you mean {label_text(by_text[close[0]])}?" if close else ""
