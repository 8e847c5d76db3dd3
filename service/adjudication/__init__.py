"""The second read: own reads, judgements, arbitration, and what is hidden until an own read is committed."""
