"""Documents: JSON text in, records and located problems out, and back."""
