"""A decoder LLM that is adapted to the task by LoRA, and then answers as the llm engine does."""
