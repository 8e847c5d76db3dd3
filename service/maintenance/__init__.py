"""Maintenance of an installation: retention, the check of the stored objects, backup and restore."""
