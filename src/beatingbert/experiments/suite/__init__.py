"""A grid of cells as a YAML file: read, planned, run and gone on with."""
