"""`report.html`: everything that was learnt, in one file that needs no network."""
