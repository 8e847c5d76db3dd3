"""DICOMweb (PS3.18): storage, search and retrieval."""
