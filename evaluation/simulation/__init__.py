"""What an order of the list does to waiting: a reading queue, simulated case by case."""
