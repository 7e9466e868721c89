"""What metadata and parameters say, as immutable records of both services' dialects."""
