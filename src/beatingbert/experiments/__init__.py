"""What is left to do? Turns what a user asked for into a cell, and a cell into a record."""
