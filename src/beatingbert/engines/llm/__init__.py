"""A decoder LLM that is asked as it is, with or without demonstrations."""
