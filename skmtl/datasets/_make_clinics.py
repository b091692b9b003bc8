"""Visits to clinics: a synthetic table with strings, dates, booleans and missing values."""

import numpy as np
import pandas as pd
from sklearn.utils import check_random_state

from skmtl.datasets._bunch import build_bunch

_REGIONS = ["north", "south", "east", "west"]
_DRUGS = [f"drug {letter}" for letter in "ABCDEFGHIJKL"]


def make_clinic_visits(n_tasks=40, n_rows=30, random_state=None):
    r"""Generate visits of patients to clinics, a table as found in practice.

    The cost of a visit depends on the clinic, mostly through its metadata, on the patient and on
    the date. Features and metadata are numeric, categorical, boolean, strings and dates, and have
    missing values.

    Parameters
    ----------
    n_tasks : int, default=40
        Number of clinics.
    n_rows : int, default=30
        Number of visits to each clinic.
    random_state : int, RandomState instance or None, default=None
        Pass an int for the same data in every call.

    Returns
    -------
    Bunch
        Has these attributes.

        data : DataFrame of shape (n_tasks * n_rows, 10)
            The task id `clinic`; the features `age` (years, some missing), `sex` (category),
            `drug` (12 strings, some missing), `date` of the visit and `emergency` (boolean); the
            metadata `beds` (some missing), `region` (string), `private` (boolean) and `opened`
            (date). Rows are sorted by clinic.
        target : Series of shape (n_tasks * n_rows,)
            The cost of the visit.
        task_id : str
            Name of the task-id column.
        metadata : list of str
            Names of the metadata columns.
        feature_names : list of str
            Names of the feature columns.
        DESCR : str
            A description of the data set.

    See Also
    --------
    make_cubic : Numeric columns only.

    Notes
    -----
    The cost is

    .. math::
        y = 0.01\,\text{beds} + r(\text{region}) - 1.5\,\text{private}
        - 0.02\,(\text{years since 1960}) + u + d(\text{drug})
        + (0.02 + 10^{-4}\,\text{beds})(\text{age} - 50) + 1.2\,\text{emergency}
        + 0.7\,(\text{years since 2023}) + \varepsilon

    with effects r and d of regions and drugs, :math:`u \sim N(0, 0.3^2)` for each clinic and
    :math:`\varepsilon \sim N(0, 0.4^2)` for each visit. Costs do not depend on `sex`.

    Examples
    --------
    >>> from skmtl import MultiTaskHypernetRegressor
    >>> from skmtl.datasets import make_clinic_visits
    >>> visits = make_clinic_visits(random_state=0)
    >>> visits.data.shape, visits.metadata
    ((1200, 10), ['beds', 'region', 'private', 'opened'])
    >>> model = MultiTaskHypernetRegressor("clinic", visits.metadata, max_iter=10, random_state=0)
    >>> model.fit(visits.data, visits.target).score(visits.data, visits.target)
    0.9...
    """
    rng = check_random_state(random_state)
    beds = rng.randint(20, 400, n_tasks).astype(float)
    region = rng.randint(len(_REGIONS), size=n_tasks)
    private = rng.uniform(size=n_tasks) < 0.4
    opened = rng.randint(0, 20_000, n_tasks)
    level = 0.01 * beds + np.array([0.0, 2.0, -1.0, 0.5])[region] - 1.5 * private
    level = level - 0.02 * opened / 365 + 0.3 * rng.normal(size=n_tasks)
    clinic = np.repeat(np.arange(n_tasks), n_rows)
    n = len(clinic)
    age = rng.normal(50, 15, n).round(1)
    drug = rng.randint(len(_DRUGS), size=n)
    effects = 1.5 * rng.normal(size=len(_DRUGS))
    day = rng.randint(0, 700, n)
    emergency = rng.uniform(size=n) < 0.3
    cost = level[clinic] + effects[drug] + (0.02 + 1e-4 * beds[clinic]) * (age - 50)
    cost = cost + 1.2 * emergency + 0.7 * day / 365 + 0.4 * rng.normal(size=n)
    width = len(str(n_tasks - 1))
    # the cost also depends on the values that are missing
    data = pd.DataFrame(
        {
            "age": np.where(rng.uniform(size=n) < 0.1, np.nan, age),
            "sex": pd.Categorical(np.where(rng.uniform(size=n) < 0.5, "female", "male")),
            "drug": np.where(rng.uniform(size=n) < 0.1, None, np.array(_DRUGS, object)[drug]),
            "date": pd.Timestamp("2023-01-01") + pd.to_timedelta(day, unit="D"),
            "emergency": emergency,
            "clinic": [f"clinic {k:0{width}d}" for k in clinic],
            "beds": np.where(rng.uniform(size=n_tasks) < 0.15, np.nan, beds)[clinic],
            "region": np.array(_REGIONS, dtype=object)[region[clinic]],
            "private": private[clinic],
            "opened": pd.Timestamp("1960-01-01") + pd.to_timedelta(opened[clinic], unit="D"),
        }
    )
    target = pd.Series(cost, name="cost")
    return build_bunch(data, target, task_id="clinic", source=make_clinic_visits, numeric=False)
