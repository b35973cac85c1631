"""Tests of `beatingbert.engines.llm`; a package, so that its files may share names with those of other folders."""
