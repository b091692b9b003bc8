"""What the baselines share: which values their parameters may have."""

from sklearn.utils._param_validation import StrOptions

from skmtl._layers import LAYER_SIZES, check_layer_sizes

CONSTRAINTS = {
    "hidden_layer_sizes": LAYER_SIZES,
    "activation": [StrOptions({"identity", "logistic", "relu", "tanh"})],
}
HEAD_CONSTRAINTS = {"head_layer_sizes": LAYER_SIZES}


def layer_sizes(estimator, name, at_least=0):
    """Widths of an estimator's layers, checked."""
    return check_layer_sizes(getattr(estimator, name), name, at_least)
