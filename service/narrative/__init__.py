"""The text of reports that come as documents: PDF, HTML, CDA and the content of DICOM objects."""
