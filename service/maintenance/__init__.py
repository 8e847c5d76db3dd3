"""What keeps an installation in order: retention, the check of what is stored, backup and restore."""
