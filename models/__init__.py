"""Pixels to observations: pixel pipeline, model releases and detectors."""
