"""Reports that come as FHIR resources: DiagnosticReport of R4 and R5, alone or within a Bundle."""
