"""A frozen encoder whose mean token is read by a logistic regression."""
