"""Tests of `beatingbert.engines.lora`; a package, so that its files may share names with those of other folders."""
