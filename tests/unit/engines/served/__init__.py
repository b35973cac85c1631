"""Tests of `beatingbert.engines.served`; a package, so that its files may share names with those of other folders."""
