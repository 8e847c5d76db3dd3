"""Parts that api, desk and DICOMweb share: access log, errors, guard, negotiation, multipart, OpenAPI."""
