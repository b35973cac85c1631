"""What a user asks for: the flags of every command come from these classes, and so does the Python interface."""

from beatingbert.experiments.config.baselines import LinearConfig, MajorityConfig
from beatingbert.experiments.config.catalog import RUNS
from beatingbert.experiments.config.encoder import BERTConfig
from beatingbert.experiments.config.llm import GemmaConfig, LLMConfig
from beatingbert.experiments.config.run import RunConfig

__all__ = ["RUNS", "BERTConfig", "GemmaConfig", "LLMConfig", "LinearConfig", "MajorityConfig", "RunConfig"]
