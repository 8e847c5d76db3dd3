"""The ways in: images and reports are checked, stored and matched, and only then acknowledged."""
