"""What Python programs and the commands call."""
