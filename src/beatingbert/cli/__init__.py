"""How do I ask? Thin commands onto the package."""
