"""The audit trail beside its table: verification, export, and what is recorded of requests."""
