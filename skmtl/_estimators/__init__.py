"""The scikit-learn contract: the estimators, and what one of them trains on."""
