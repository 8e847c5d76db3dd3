"""Whether the order carries over: against the detector's raw score, on every set at hand."""
