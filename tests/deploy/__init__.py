"""What lies in deploy/ fits the program."""
