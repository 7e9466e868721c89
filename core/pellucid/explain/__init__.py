"""From instances to explanations: everything between a model and a response."""
