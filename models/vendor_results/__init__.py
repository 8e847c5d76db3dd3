"""Results of other vendors' products, read as the observations of a named detector.

A product's results arrive as DICOM SR within the study, or as rows of a file. A manifest says which product
it is, how its words and codes are to be read, and what its statements are worth. Nothing here looks at
pixels, so that a site without a GPU can triage with what it already has.
"""
