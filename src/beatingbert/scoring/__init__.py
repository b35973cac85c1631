"""How good, how fast? Metrics with their intervals, and the cost of an answer in time and memory."""
