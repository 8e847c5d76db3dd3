"""One module per change of the tables, in order; a released one is never edited."""
