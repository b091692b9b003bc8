"""Multi-task data sets: generated, read from an installed package, or downloaded.

Each function returns a `sklearn.utils.Bunch`, whose `task_id` and `metadata` can be passed to the
estimators' parameters of the same names.
"""

from skmtl.datasets._concave import make_concave_front
from skmtl.datasets._fetch import (
    fetch_algorithms,
    fetch_cubic,
    fetch_robot_arm,
    fetch_water_quality,
)
from skmtl.datasets._make import make_cubic, make_robot_arm
from skmtl.datasets._make_clinics import make_clinic_visits
from skmtl.datasets._make_overlaid import make_overlaid_digits
from skmtl.datasets._make_shared import make_related_tasks, make_rotated_digits
from skmtl.datasets._rdatasets_labels import load_gcsemv, load_guimmun, load_star
from skmtl.datasets._rdatasets_places import (
    load_hedonic,
    load_orthodont,
    load_produc,
    load_radon,
    load_sleepstudy,
    load_theoph,
)
from skmtl.datasets._rdatasets_schools import (
    load_bdf,
    load_chem97,
    load_egsingle,
    load_exam,
    load_high_school,
)

__all__ = [
    "fetch_algorithms",
    "fetch_cubic",
    "fetch_robot_arm",
    "fetch_water_quality",
    "load_bdf",
    "load_chem97",
    "load_egsingle",
    "load_exam",
    "load_gcsemv",
    "load_guimmun",
    "load_hedonic",
    "load_high_school",
    "load_orthodont",
    "load_produc",
    "load_radon",
    "load_sleepstudy",
    "load_star",
    "load_theoph",
    "make_clinic_visits",
    "make_concave_front",
    "make_cubic",
    "make_overlaid_digits",
    "make_related_tasks",
    "make_robot_arm",
    "make_rotated_digits",
]
