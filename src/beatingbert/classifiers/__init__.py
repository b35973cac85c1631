"""What came of it: an engine's result, kept in a folder and put to work."""
