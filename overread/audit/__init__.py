"""Estimators of discrepancy rates: what the audit of an export and the live page of the service both say."""
