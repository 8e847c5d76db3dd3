"""Brings archives into the store: tables of reports, folders of images, through the same intake."""
