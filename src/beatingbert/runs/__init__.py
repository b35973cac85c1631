"""What happened? The cell that was asked for, the record of its answer and the store that keeps it."""
