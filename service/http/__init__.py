"""The HTTP face: the API, DICOMweb storage, and what both share (errors, log, metrics, OpenAPI)."""
