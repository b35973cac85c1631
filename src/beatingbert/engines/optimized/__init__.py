"""Who answers? A prompted LLM whose instruction and demonstrations were chosen by an optimiser of DSPy."""
