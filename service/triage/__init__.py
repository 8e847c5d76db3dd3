"""Compares image and report of a case, and does it again when something about the comparison changes."""
