"""X and y in, checked arrays out, predictions back: the one place that reads tables."""
