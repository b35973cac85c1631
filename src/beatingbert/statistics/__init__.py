"""How sure? Intervals, paired tests and corrections for many claims; knows arrays only, never tasks or engines."""
