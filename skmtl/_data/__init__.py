"""X and y in, checked arrays out, predictions back: the only package that reads tables."""
