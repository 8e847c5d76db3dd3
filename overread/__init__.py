"""The domain: what a report says, what a detector sees, where they disagree, and who looks first."""

__version__ = "0.1.0"
