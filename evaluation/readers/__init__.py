"""Real readers: how far radiologists agree on public sets that several of them read."""
