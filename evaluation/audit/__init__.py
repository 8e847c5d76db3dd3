"""Discrepancy rates of an archive from a sample that people read: drawn, read, and estimated without bias."""
