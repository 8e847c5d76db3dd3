"""The store: studies, reports, cases and what was concluded about them, on SQLite or PostgreSQL."""
