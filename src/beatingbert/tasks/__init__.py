"""What is asked? Questions, their labels, the tasks that declare them and where their rows come from."""
