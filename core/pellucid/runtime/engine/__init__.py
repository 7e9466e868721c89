"""TensorFlow itself: its import, the kernels, how rows are cut, how it fails."""
