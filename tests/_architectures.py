"""Estimators with an architecture, built from one set of settings for both."""

from skmtl import MultiTaskClassifier, MultiTaskRegressor, architectures

# the architectures that have no estimators of their own
NAMES = [
    name
    for name in architectures.__all__
    if name not in ("Architecture", "NetworkShape", "Hypernetwork", "GumbelMatrix")
]


def build(name, kind=MultiTaskRegressor, **settings):
    """An estimator; settings that the architecture has go there."""
    architecture = getattr(architectures, name)
    parameters = {p: settings.pop(p) for p in architecture._get_param_names() if p in settings}
    return kind(architecture(**parameters), **settings)


def shared_bottom(**settings):
    """A regressor with a shared trunk and a head for each task."""
    return build("SharedBottom", **settings)


def build_classifier(name, **settings):
    """As `build`, for classes."""
    return build(name, MultiTaskClassifier, **settings)
