"""What did the study find? From the published records of a suite to the tables, pictures and sentences of its pages."""
