"""A SavedModel directory read without TensorFlow: its messages, its names, its files."""
