"""The HL7 v2 listener: a thin adapter from ORU^R01 over MLLP to intake."""
