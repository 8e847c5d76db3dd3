"""Measures PostgreSQL with millions of cases."""
