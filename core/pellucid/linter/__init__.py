"""What is wrong with a model's metadata, found without TensorFlow."""
