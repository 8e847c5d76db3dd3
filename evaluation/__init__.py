"""Metrics with confidence intervals, and what is measured with them."""
