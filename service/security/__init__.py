"""Who may enter, and what each may do: identity, passwords, sessions, roles, tokens."""
