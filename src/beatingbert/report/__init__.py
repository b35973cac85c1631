"""What did we learn? Reads records, never models."""
