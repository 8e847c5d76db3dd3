"""Cases for a learning meeting: found, reviewed by a person, and handed on without who anybody is."""
