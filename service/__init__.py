"""Intake, store, worker, HTTP service and reader's desk."""
