"""A meta graph rewritten: flat, frozen, folded."""
