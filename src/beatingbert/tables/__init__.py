"""What does a user's own table hold? Reading it, looking at it and splitting it without leaks."""
