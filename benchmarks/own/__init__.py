"""Ours against peers on users' own tables: what `benchmarks/own_data.py` is made of."""
