"""Reads radiology reports: findings with presence, side, place, size, time and the words that say so.

from overread.report import load_reader

reading = load_reader().read("Small right pleural effusion. No pneumothorax.")
"""

from overread.report.reader import load_reader

__all__ = ["load_reader"]
