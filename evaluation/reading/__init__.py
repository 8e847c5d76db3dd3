"""Measures the report reader on public material: `python -m evaluation.reading all --data PATH`."""
