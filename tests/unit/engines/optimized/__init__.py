"""Tests of `beatingbert.engines.optimized`; a package, so that files may share names with those of other folders."""
