"""The three ways of running a model, from the best to the last resort."""
