"""A SavedModel compiled: the one room that runs TensorFlow."""
