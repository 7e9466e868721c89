"""The protocols: what each one's request asks, and what its answers and errors look like."""
