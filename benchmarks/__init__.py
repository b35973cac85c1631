"""How fast and how exact our scoring is beside its peers: see docs/PERFORMANCE.md; the command is `run.py`."""
