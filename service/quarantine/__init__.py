"""Quarantine: refused objects and reports, looked into, corrected, and sent through the intake again."""
