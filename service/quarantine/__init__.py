"""What was refused: looked into, corrected, and sent through the intake again."""
