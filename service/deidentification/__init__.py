"""De-identified copies of cases, for demonstrations and for others to work with."""
