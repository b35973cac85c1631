"""Tests of `beatingbert.engines.optimized`; a package, so that its files may share names with those of other folders."""
