"""Alembic's migrations of the store; `service.store.migration` runs them."""
