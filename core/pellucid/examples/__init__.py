"""Example-based explanations: an index of latent vectors, written and searched."""
