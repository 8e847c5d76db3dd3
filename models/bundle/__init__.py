"""Detectors that are MONAI bundles: volumes in, boxes in the patient out.

The only part of `models` that knows torch and MONAI; neither belongs to the runtime set. Import
`models.bundle.detector` where a bundle is really to be run.
"""
