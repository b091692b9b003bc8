"""What the baselines share: which values their parameters may have."""

from skmtl._estimators.layers import ACTIVATION, LAYER_SIZES

CONSTRAINTS = {"hidden_layer_sizes": LAYER_SIZES, "activation": ACTIVATION}
HEAD_CONSTRAINTS = {"head_layer_sizes": LAYER_SIZES}
