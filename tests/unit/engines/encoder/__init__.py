"""Tests of `beatingbert.engines.encoder`; a package, so that its files may share names with those of other folders."""
