"""The JSON interface to cases, reports, images and quarantine."""
