"""Explanations as what clients read: JSON of the services, and ``.npz`` files."""
