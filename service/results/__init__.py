"""Results for other systems: structured reports, captures, key objects, messages; made, kept and sent.

`statements` says what a triage result states, whatever the form; `report`, `capture`, `selection` and
`message` bring it into one each; `making` makes and keeps what the rules ask for; `sending` empties the
outbox.
"""
