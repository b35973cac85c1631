"""A fine-tuned encoder with a classification head."""
