"""The second read: who takes up which case, and by which rules."""
