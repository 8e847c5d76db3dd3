"""Data sets, recipes, calibration and release of a model."""
