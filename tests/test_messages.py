"""Mistakes that users make: each message names the culprit and says what to do."""

import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import AdaBoostRegressor, BaggingRegressor, StackingRegressor
from sklearn.feature_selection import RFECV, SequentialFeatureSelector
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, GroupKFold, KFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from skorch.callbacks import Callback

from skmtl import (
    MultiTaskHypernetClassifier,
    MultiTaskHypernetRegressor,
    MultiTaskRegressor,
    ParetoHypernet,
    TaskGrouper,
)
from skmtl.architectures import CrossStitch
from skmtl.datasets import make_clinic_visits, make_cubic
from skmtl.display import TaskEmbeddingDisplay
from skmtl.grouping import select_groups
from skmtl.model_selection import (
    BatchedGridSearchCV,
    LeaveTasksOut,
    TaskKFold,
    TaskTimeSeriesSplit,
    fit_many,
)

CLINICS = make_clinic_visits(n_tasks=6, n_rows=12, random_state=0)
X, Y, METADATA = CLINICS.data, CLINICS.target, CLINICS.metadata
CUBIC = make_cubic(n_tasks=6, n_rows=12, random_state=0)
NUMBERS, CURVE = CUBIC.data, CUBIC.target
BY_TASK = X.groupby("clinic")[METADATA].first()
WIDE_X = np.random.default_rng(0).normal(size=(60, 4))
WIDE_Y = pd.DataFrame(WIDE_X @ np.ones((4, 3)) + WIDE_X[:, :3], columns=["a", "b", "c"])
WORDS = pd.Series(np.where(Y.median() < Y, "high", "low"), name="level")
QUICK = {"max_iter": 2, "random_state": 0}
CASES = {}


def regressor(**changes):
    return MultiTaskHypernetRegressor(
        **{"task_id": "clinic", "metadata": METADATA} | QUICK | changes
    )


def classifier(**changes):
    return MultiTaskHypernetClassifier(
        **{"task_id": "clinic", "metadata": METADATA} | QUICK | changes
    )


def cubic(**changes):
    return MultiTaskHypernetRegressor(**{"task_id": "task"} | QUICK | changes)


def mistake(*musts, never=()):
    """Register a call that is a mistake, with words that its message has and words it lacks."""

    def register(call):
        CASES[call.__name__] = call, musts, never
        return call

    return register


FITTED = {}


def fitted():
    if not FITTED:
        FITTED["model"] = regressor().fit(X, Y)
    return FITTED["model"]


# columns of X


@mistake("'clinc'", "Did you mean 'clinic'?")
def misspelt_task_id():
    regressor(task_id="clinc").fit(X, Y)


@mistake("'bed'", "Did you mean 'beds'?")
def misspelt_metadata():
    regressor(metadata=["bed", "region"]).fit(X, Y)


@mistake("categorical_features", "Did you mean 'drug'?")
def misspelt_categorical_features():
    regressor(categorical_features=["drugs"]).fit(X, Y)


@mistake("'Clinic'", "Did you mean 'clinic'?")
def task_id_of_another_case():
    regressor(task_id="Clinic").fit(X, Y)


@mistake("ForgottenTaskIdWarning", "task_id='clinic'")
def forgotten_task_id():
    regressor(task_id=None, metadata=None).fit(X, Y)


@mistake("ForgottenTaskIdWarning", "task_id='task'")
def forgotten_numeric_task_id():
    cubic(task_id=None).fit(NUMBERS, CURVE)


@mistake("must name columns", "pass its name")
def task_id_given_as_the_column():
    regressor(task_id=X["clinic"]).fit(X, Y)


@mistake("task_id=None", "Name the column")
def metadata_without_task_id():
    regressor(task_id=None).fit(X, Y)


@mistake("'clinic'", "does not describe its task")
def task_id_in_metadata():
    regressor(metadata=["clinic", "beds"]).fit(X, Y)


@mistake("'age'", "'clinic 0'", "59.1", "Leave it out of metadata")
def metadata_that_varies():
    regressor(metadata=["age"]).fit(X, Y)


@mistake("'drug'", "'drug A'", "Leave it out of metadata")
def metadata_word_that_varies():
    regressor(metadata=["drug"]).fit(X, Y)


@mistake("'date'", "2023-", "Leave it out of metadata")
def metadata_date_that_varies():
    regressor(metadata=["date"]).fit(X, Y)


@mistake("'x'", "the task 0:")
def metadata_varies_numeric_ids():
    cubic(metadata=["x"]).fit(NUMBERS, CURVE)


@mistake("of a dict", "pd.Series(metadata).to_frame(")
def metadata_as_dict_of_columns():
    regressor(metadata={"a": 1}).fit(X, Y)


@mistake("list of columns of X", "pd.DataFrame(metadata, index=ids)")
def metadata_as_array():
    regressor(metadata=np.ones((6, 2))).fit(X, Y)


@mistake("Series", "to_frame()")
def metadata_as_series():
    regressor(metadata=BY_TASK["beds"]).fit(X, Y)


@mistake("'metadata'", "3.5")
def metadata_as_number():
    regressor(metadata=3.5).fit(X, Y)


@mistake("['clinic 0']", "reindex")
def metadata_table_lacks_a_task():
    regressor(metadata=BY_TASK.iloc[1:]).fit(X.drop(columns=METADATA), Y)


@mistake("indexed by task id", "groupby('clinic').first()")
def metadata_table_of_rows():
    regressor(metadata=X[METADATA]).fit(X, Y)


@mistake("'0'", "than 0:", "astype(int)")
def metadata_table_of_string_ids():
    table = NUMBERS.groupby("task")[["a", "b"]].first()
    cubic(metadata=table.set_axis(table.index.astype(str))).fit(NUMBERS[["x", "task"]], CURVE)


@mistake("['clinic 0']", "groupby(level=0).first()")
def metadata_table_with_different_rows():
    table = pd.concat([BY_TASK, BY_TASK.iloc[:1].assign(beds=1)])
    regressor(metadata=table).fit(X.drop(columns=METADATA), Y)


@mistake("task_id=None", "Name the column")
def metadata_auto_without_task_id():
    regressor(task_id=None, metadata="auto").fit(X, Y)


@mistake("metadata column 'beds'", "1e+300", "correct it")
def metadata_of_1e300():
    regressor(metadata=BY_TASK.assign(beds=[1e300, 1, 2, 3, 4, 5])).fit(X.drop(columns=METADATA), Y)


@mistake("feature 'age'", "1e+300", "correct it")
def feature_of_1e300():
    regressor().fit(X.assign(age=X["age"].where(X.index != 3, 1e300)), Y)


@mistake("'age'", "401 digits", "logarithm")
def integer_too_large():
    ages = pd.Series([10**400] + [1] * (len(X) - 1), index=X.index, dtype=object)
    regressor().fit(X.assign(age=ages), Y)


@mistake("'age'", "row 3", "missing (NaN)")
def infinity():
    regressor().fit(X.assign(age=X["age"].where(X.index != 3, np.inf)), Y)


@mistake("'beds' of the metadata", "infinity")
def infinity_in_metadata():
    regressor(metadata=BY_TASK.assign(beds=np.inf)).fit(X.drop(columns=METADATA), Y)


@mistake("'notes'", "free text", "TfidfVectorizer", "astype('category')")
def free_text():
    notes = [f"patient {k} arrived in the morning" for k in range(len(X))]
    regressor().fit(X.assign(notes=notes), Y)


@mistake("'codes'", "list", "Convert or drop")
def lists_in_a_column():
    regressor().fit(X.assign(codes=[[1, 2]] * len(X)), Y)


@mistake("'z'", "complex", "Convert or drop")
def complex_numbers():
    regressor().fit(X.assign(z=1j), Y)


@mistake("['age']", "rename or drop")
def columns_of_the_same_name():
    regressor().fit(pd.concat([X, X[["age"]]], axis=1), Y)


@mistake("'clinic'", "array", "position")
def array_with_names():
    regressor().fit(X.to_numpy(), Y)


@mistake("task_id=12", "10 columns")
def position_beyond_the_end():
    regressor(task_id=12).fit(X, Y)


@mistake("list", "pass a DataFrame")
def list_of_lists_with_words():
    regressor(task_id=1, metadata=None).fit(X[["age", "clinic"]].to_numpy().tolist(), Y)


@mistake("'clinic'", "row 3", "'unknown'")
def missing_task_id():
    regressor().fit(X.assign(clinic=X["clinic"].where(X.index != 3)), Y)


@mistake("every column of X is named")
def all_columns_named():
    regressor().fit(X[["clinic", *METADATA]], Y)


@mistake("Series", "DataFrame")
def series_as_X():
    regressor().fit(X["age"], Y)


@mistake("0 sample")
def empty_table():
    regressor().fit(X.iloc[:0], Y.iloc[:0])


@mistake("one-hot", "('passthrough', ['clinic'])")
def id_encoded_away():
    encode = make_column_transformer(
        (OneHotEncoder(sparse_output=False), ["clinic"]), remainder="passthrough"
    ).set_output(transform="pandas")
    make_pipeline(encode, cubic(task_id="clinic")).fit(X[["age", "clinic"]].fillna(0), Y)


@mistake("'remainder__clinic'", "verbose_feature_names_out=False", "task_id=5")
def id_prefixed():
    encode = make_column_transformer(
        (StandardScaler(), ["age"]), remainder="passthrough"
    ).set_output(transform="pandas")
    make_pipeline(encode, regressor()).fit(X, Y)


@mistake("array", "set_output(transform='pandas')")
def names_lost_in_a_pipeline():
    make_pipeline(StandardScaler(), cubic()).fit(NUMBERS, CURVE)


# meta-estimators that hand over arrays


@mistake("Bagging", "position")
def bagging():
    BaggingRegressor(cubic(), n_estimators=2).fit(NUMBERS, CURVE)


@mistake("Bagging", "position")
def bagging_of_words():
    BaggingRegressor(regressor(), n_estimators=2).fit(X.fillna({"age": 0}), Y)


@mistake("AdaBoost", "position")
def ada_boost():
    AdaBoostRegressor(cubic(), n_estimators=2).fit(NUMBERS, CURVE)


@mistake("RFECV", "permutation_importance")
def rfecv():
    RFECV(cubic(), cv=2).fit(NUMBERS, CURVE)


@mistake("SequentialFeatureSelector", "permutation_importance")
def sequential_selection():
    SequentialFeatureSelector(cubic(), cv=2).fit(NUMBERS, CURVE)


@mistake("'task'", "array of 1 columns")
def stacking_numbers():
    StackingRegressor([("r", Ridge())], cubic()).fit(NUMBERS, CURVE)


# splits and searches


@mistake("not seen in fit: [0, 1]", "TaskKFold", "sorted by task")
def folds_of_a_sorted_table():
    cross_val_score(cubic(), NUMBERS, CURVE, cv=3, error_score="raise")


@mistake("not seen in fit: [0, 1]", "TaskKFold")
def batched_search_on_a_sorted_table():
    BatchedGridSearchCV(cubic(), {"alpha": [1.0]}, cv=KFold(3), error_score="raise").fit(
        NUMBERS, CURVE
    )


@mistake("'learning_rates'", "'learning_rate_init'")
def misspelt_parameter():
    GridSearchCV(cubic(), {"learning_rates": [1.0]}, cv=2).fit(NUMBERS, CURVE)


@mistake("'learning_rates'", "'learning_rate_init'")
def misspelt_parameter_batched():
    BatchedGridSearchCV(cubic(), {"learning_rates": [1.0]}, cv=2).fit(NUMBERS, CURVE)


@mistake("Ridge", "GridSearchCV")
def search_of_another_estimator():
    BatchedGridSearchCV(Ridge(), {"alpha": [1.0]}, cv=2).fit(NUMBERS, CURVE)


@mistake("'rsme'", "neg_root_mean_squared_error")
def unknown_scorer():
    BatchedGridSearchCV(cubic(), {"alpha": [1.0]}, cv=2, scoring="rsme").fit(NUMBERS, CURVE)


@mistake("'school'", "X has")
def task_fold_of_another_column():
    list(TaskKFold("school", n_splits=3).split(NUMBERS, CURVE))


@mistake("n_splits=50", "6", "fewer")
def leave_out_more_tasks_than_there_are():
    list(LeaveTasksOut("task", n_splits=50).split(NUMBERS, CURVE))


@mistake("'groups'")
def group_fold_without_groups():
    cross_val_score(cubic(), NUMBERS, CURVE, cv=GroupKFold(2))


@mistake("not fitted yet", "fit")
def predict_before_search():
    BatchedGridSearchCV(cubic(), {"alpha": [1.0]}).predict(NUMBERS)


@mistake("Ridge", "skmtl")
def fit_many_of_ridge():
    fit_many([Ridge()], NUMBERS, CURVE)


@mistake("'day'", "'date'")
def time_split_without_a_date():
    list(TaskTimeSeriesSplit("clinic", time="day").split(X, Y))


# y and weights


@mistake("y contains NaN", "row(s) 7", "y.notna()")
def nan_in_y():
    regressor().fit(X, Y.where(Y.index != 7))


@mistake("'high'", "classifier", "pd.to_numeric")
def words_in_y():
    regressor().fit(X, WORDS)


@mistake("dates", "total_seconds()")
def dates_in_y():
    regressor().fit(X, X["date"])


@mistake("continuous", "classifier")
def numbers_for_a_classifier():
    classifier().fit(X, Y)


@mistake("72", "71")
def y_of_another_length():
    regressor().fit(X, Y.iloc[:-1])


@mistake("requires y")
def y_forgotten():
    regressor().fit(X, None)


@mistake("y contains infinity", "row 7")
def infinite_y():
    regressor().fit(X, Y.where(Y.index != 7, np.inf))


@mistake("y has values", "1e+300", "larger unit")
def huge_y():
    regressor().fit(X, Y.where(Y.index != 7, 1e300))


@mistake("negative labels", "row 0", "loss='poisson'")
def negative_counts():
    regressor(loss="poisson").fit(X, Y - 100)


@mistake("2 columns", "one column")
def columns_of_classes_in_long_form():
    classifier().fit(X, pd.DataFrame({"a": WORDS, "b": WORDS}))


@mistake("sample_weight", "(3,)", "(72,)")
def weights_of_another_length():
    regressor().fit(X, Y, sample_weight=np.ones(3))


@mistake("sample_weight", "1e+300", "divide")
def weights_of_1e300():
    regressor().fit(X, Y, sample_weight=np.full(len(Y), 1e300))


@mistake("Negative", "sample_weight")
def negative_weights():
    regressor().fit(X, Y, sample_weight=-np.ones(len(Y)))


@mistake("sample_weight contains NaN")
def nan_weights():
    regressor().fit(X, Y, sample_weight=np.full(len(Y), np.nan))


@mistake("['medium']", "['high', 'low']")
def class_weight_of_another_class():
    classifier(class_weight={"medium": 2.0}).fit(X, WORDS)


@mistake("'loss'", "'mse'", "squared_error")
def unknown_loss():
    regressor(loss="mse").fit(X, Y)


# settings


@mistake("'n_members'", "[1, inf)")
def no_members():
    regressor(n_members=0).fit(X, Y)


@mistake("'hidden_layer_sizes'", "[1, inf)")
def hidden_layer_of_size_0():
    regressor(hidden_layer_sizes=0).fit(X, Y)


@mistake("hidden_layer_sizes", "positive")
def hidden_layer_of_size_0_in_a_tuple():
    regressor(hidden_layer_sizes=(8, 0)).fit(X, Y)


@mistake("training diverged", "1e+20", "the default")
def diverged():
    regressor(learning_rate_init=1e20).fit(X, Y)


@mistake("'learning_rate_init'", "-1.0")
def negative_learning_rate():
    regressor(learning_rate_init=-1.0).fit(X, Y)


@mistake("'activation'", "'relu'")
def unknown_activation():
    regressor(activation="relo").fit(X, Y)


@mistake("'pcgard'", "pcgrad")
def unknown_weighting():
    regressor(task_weighting="pcgard").fit(X, Y)


@mistake("'shared_bottom'", "SharedBottom()")
def unknown_architecture():
    MultiTaskRegressor("shared_bottom", task_id="clinic", **QUICK).fit(X, Y)


@mistake("CrossStitch()")
def architecture_as_class():
    MultiTaskRegressor(CrossStitch, task_id="clinic", **QUICK).fit(X, Y)


@mistake("'gpu'", "'cuda'")
def unknown_device():
    regressor(device="gpu").fit(X, Y)


@mistake("device='cuda'", "device='auto'")
def cuda_without_one():
    regressor(device="cuda").fit(X, Y)


class Stubborn(Callback):
    def __init__(self, path):
        self.file = path


@mistake("Stubborn", "under their own names")
def callback_that_cannot_be_copied():
    regressor(callbacks=[Stubborn("log")]).fit(X, Y)


class Locked(Callback):
    def __init__(self, lock):
        self.lock = lock


@mistake("Locked", "on_train_begin")
def callback_that_holds_a_lock():
    import threading

    regressor(callbacks=[Locked(threading.Lock())]).fit(X, Y)


@mistake("Callback", "instances")
def callback_as_class():
    regressor(callbacks=[Callback]).fit(X, Y)


@mistake("'callbacks'", "'list'")
def a_single_callback():
    regressor(callbacks=Callback()).fit(X, Y)


@mistake("'batch_size'", "[1, inf)")
def batch_size_of_0():
    regressor(batch_size=0).fit(X, Y)


@mistake("'random_state'", "'a'")
def random_state_of_words():
    regressor(random_state="a").fit(X, Y)


# predict


@mistake("not fitted yet", "'fit'")
def predict_before_fit():
    regressor().predict(X)


@mistake("not fitted yet", "'fit'")
def attribute_before_fit():
    print(regressor().task_embeddings_)


@mistake("missing", "age")
def predict_with_a_missing_column():
    fitted().predict(X.drop(columns="age"))


@mistake("missing", "clinic")
def predict_without_the_id():
    fitted().predict(X.drop(columns="clinic"))


@mistake("unseen", "extra")
def predict_with_an_extra_column():
    fitted().predict(X.assign(extra=1))


@mistake("unseen", "cost")
def predict_with_y_left_in():
    fitted().predict(X.assign(cost=Y))


@mistake("feature names")
def predict_an_array():
    fitted().predict(X.to_numpy())


@mistake("'age'", "held numbers in fit", "convert")
def predict_numbers_as_words():
    fitted().predict(X.assign(age=X["age"].astype(str)))


@mistake("'date'", "held dates in fit", "convert")
def predict_dates_as_numbers():
    fitted().predict(X.assign(date=5))


@mistake("[99]", "unseen_tasks='average'", "metadata=", "adapt()")
def predict_unseen_tasks():
    cubic().fit(NUMBERS, CURVE).predict(NUMBERS.assign(task=99))


@mistake("'0'", "of another type than 0,", "X['task'].astype")
def predict_ids_as_words():
    cubic().fit(NUMBERS, CURVE).predict(NUMBERS.assign(task=NUMBERS["task"].astype(str)))


@mistake("'clinic 0 '", "'clinic 0'", "X['clinic']", ".str.strip()")
def predict_ids_with_blanks():
    fitted().predict(X.assign(clinic=X["clinic"] + " "))


@mistake("UnknownTasksWarning", "'aclinic 0'", "'clinic 0'")
def predict_unknown_ids_with_metadata():
    fitted().predict(X.assign(clinic="a" + X["clinic"]))


@mistake("return_std=True", "n_members=8")
def predict_std_with_one_member():
    fitted().predict(X, return_std=True)


@mistake("intervals=True", "calibrate(X, y)")
def predict_intervals_of_a_model_without():
    fitted().predict_interval(X)


@mistake("coverage", "strictly between 0 and 1", "90")
def coverage_in_percent():
    fitted().predict_interval(X, coverage=90)


@mistake("intervals='new'", "at least 10 tasks", "there are 6", "intervals='known'")
def intervals_for_new_of_few_tasks():
    regressor(intervals="new").fit(X, Y)


@mistake("interval_time", "intervals=True")
def time_without_intervals():
    regressor(interval_time="day").fit(X, Y)


@mistake("return_std='total'", "intervals=True")
def predict_std_of_one_member_without_intervals():
    fitted().predict(X, return_std=True)


@mistake("X_val and y_val", "together")
def validation_table_without_labels():
    regressor().fit(X, Y, X_val=X)


@mistake("X_val and y_val", "together")
def validation_labels_without_table():
    regressor().fit(X, Y, y_val=Y)


@mistake("72", "3", "X_val", "y_val")
def validation_of_another_length():
    regressor().fit(X, Y, X_val=X, y_val=Y.iloc[:3])


@mistake("missing", "age")
def validation_table_of_other_columns():
    regressor().fit(X, Y, X_val=X.drop(columns="age"), y_val=Y)


@mistake("'clinic 0 '", "another spelling of 'clinic 0'")
def adapt_with_another_spelling():
    regressor().fit(X, Y).adapt(X.assign(clinic=X["clinic"] + " "), Y)


@mistake("not fitted yet", "'fit'")
def adapt_before_fit():
    regressor().adapt(X, Y)


@mistake("metadata=None")
def metadata_importance_without_metadata():
    cubic().fit(NUMBERS, CURVE).metadata_importance(NUMBERS, CURVE)


@mistake("4", "72")
def score_of_another_length():
    fitted().score(X, Y.iloc[:4])


@mistake("partial_fit")
def partial_fit_without_tasks():
    MultiTaskHypernetRegressor().partial_fit(X, Y)


@mistake("predict_proba")
def probabilities_of_a_regressor():
    fitted().predict_proba(X)


@mistake("'unseen_tasks'", "'average'")
def unseen_tasks_misspelt():
    regressor(unseen_tasks="mean").fit(X, Y)


@mistake("warm_start=True", "adapt()", "warm_start=False")
def warm_start_with_other_tasks():
    model = regressor(warm_start=True).fit(X, Y)
    model.fit(X[X["clinic"] != X["clinic"].iloc[0]], Y[X["clinic"] != X["clinic"].iloc[0]])


# wide form


@mistake("wide form", "indexed by the columns of y")
def wide_metadata_as_columns():
    regressor(task_id=None, metadata=["a"]).fit(WIDE_X, WIDE_Y)


@mistake("['c']", "reindex")
def wide_metadata_lacks_a_column():
    table = pd.DataFrame({"size": [1.0, 2.0]}, index=["a", "b"])
    regressor(task_id=None, metadata=table).fit(WIDE_X, WIDE_Y)


@mistake("['b']", "Drop")
def wide_column_without_labels():
    regressor(task_id=None, metadata=None).fit(WIDE_X, WIDE_Y.assign(b=np.nan))


@mistake("'b'", "all strings or all numbers")
def wide_words():
    regressor(task_id=None, metadata=None).fit(WIDE_X, WIDE_Y.assign(b=["a b"] * 59 + [3]))


@mistake("'binray'", "'binary'")
def wide_task_types_misspelt():
    regressor(task_id=None, metadata=None, task_types={"a": "binray"}).fit(WIDE_X, WIDE_Y)


@mistake("['z']", "['a', 'b', 'c']")
def wide_task_types_of_another_column():
    regressor(task_id=None, metadata=None, task_types={"z": "binary"}).fit(WIDE_X, WIDE_Y)


@mistake("'a'", "row 2", "loss='poisson'")
def wide_negative_counts():
    regressor(task_id=None, metadata=None, loss="poisson").fit(WIDE_X, WIDE_Y)


@mistake("1D array", "reshape(1, -1)")
def wide_predict_a_single_row():
    regressor(task_id=None, metadata=None).fit(WIDE_X, WIDE_Y).predict(WIDE_X[0])


@mistake("3 features", "4 features")
def wide_predict_fewer_features():
    regressor(task_id=None, metadata=None).fit(WIDE_X, WIDE_Y).predict(WIDE_X[:, :3])


# preferences, groups, displays


def pareto(**changes):
    return ParetoHypernet(**QUICK | changes)


@mistake("['z']", "['a', 'b', 'c']")
def preference_of_unknown_tasks():
    pareto().fit(WIDE_X, WIDE_Y).predict(WIDE_X, preference={"z": 1.0})


@mistake("(2,)", "3 task")
def preference_of_another_length():
    pareto().fit(WIDE_X, WIDE_Y).predict(WIDE_X, preference=[0.5, 0.5])


@mistake("return_std", "preference=")
def preference_without_its_name():
    pareto().fit(WIDE_X, WIDE_Y).predict(WIDE_X, [0.2, 0.3, 0.5])


@mistake("negative weight", "'a'")
def preference_that_is_negative():
    pareto().fit(WIDE_X, WIDE_Y).predict(WIDE_X, preference=[-1, 1, 1])


@mistake("all zero")
def preference_of_zeros():
    pareto().fit(WIDE_X, WIDE_Y).predict(WIDE_X, preference=[0, 0, 0])


@mistake("LogisticRegression", "has one class only", "leave the task out")
def grouper_of_one_class_in_long_form():
    y = WORDS.where(X["clinic"] != X["clinic"].iloc[0], "low")
    TaskGrouper(LogisticRegression(), max_groups=2, task_id="clinic").fit(
        X[["age", "clinic"]].fillna(0), y
    )


@mistake("Ridge", "['b']", "'high'")
def grouper_of_classes_of_a_regressor():
    TaskGrouper(Ridge(), max_groups=2).fit(WIDE_X, WIDE_Y.assign(b="high"))


@mistake("max_groups", "got 0")
def grouper_without_groups():
    TaskGrouper(Ridge(), max_groups=0).fit(WIDE_X, WIDE_Y)


@mistake("'a'", "fit the estimator itself")
def grouper_of_one_task():
    TaskGrouper(Ridge(), max_groups=2).fit(WIDE_X, WIDE_Y[["a"]])


@mistake("'gains'", "'hao'", "'hoa'")
def grouper_of_a_misspelt_gain():
    TaskGrouper(Ridge(), gains="hao").fit(WIDE_X, WIDE_Y)


@mistake("not fitted yet", "'fit'")
def grouper_predicts_before_fit():
    TaskGrouper(Ridge()).predict(WIDE_X)


@mistake("Ridge", "'drug'", "Pipeline")
def grouper_of_categories():
    TaskGrouper(Ridge(), max_groups=2, task_id="clinic").fit(X, Y)


@mistake("gains must be a DataFrame", "dict")
def groups_of_a_dict():
    select_groups({("a", "b"): 0.1}, max_groups=2)


@mistake("task_embeddings_", "Ridge", "MultiTaskHypernetRegressor")
def display_of_a_ridge():
    TaskEmbeddingDisplay.from_estimator(Ridge().fit(WIDE_X, WIDE_Y))


@mistake("not fitted yet", "'fit'")
def display_before_fit():
    TaskEmbeddingDisplay.from_estimator(regressor())


@mistake("'bed'", "Did you mean 'beds'?")
def display_color_misspelt():
    TaskEmbeddingDisplay.from_estimator(fitted(), color="bed")


def message_of(call):
    """Return the error of a call, or its warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            call()
        except Exception as error:
            return f"{type(error).__name__}: {error}"
    return "\n".join(f"{w.category.__name__}: {w.message}" for w in caught)


@pytest.mark.parametrize("name", CASES)
def test_message(name):
    call, musts, never = CASES[name]
    text = message_of(call)
    for words in musts:
        assert words in text
    for words in ("np.", "array(", "Timestamp(", "dtype=", *never):
        assert words not in text
