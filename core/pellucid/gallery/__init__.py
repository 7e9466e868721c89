"""A finished run as a page to look through."""
