"""Simulated reading queue: the effect of an order of the list on waiting, case by case."""
