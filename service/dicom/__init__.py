"""The C-STORE listener: a thin adapter from DIMSE (PS3.7) to intake."""
