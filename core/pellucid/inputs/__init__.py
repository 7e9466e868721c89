"""Data on its way in: requests, tables and pictures made into arrays that fit the model."""
