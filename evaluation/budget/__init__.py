"""Thresholds for a second reader who has time for so many cases a day."""
