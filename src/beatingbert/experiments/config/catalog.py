"""What can be run."""

from __future__ import annotations

from beatingbert.experiments.config.baselines import LinearConfig, MajorityConfig
from beatingbert.experiments.config.encoder import BERTConfig
from beatingbert.experiments.config.llm import LLMConfig
from beatingbert.experiments.config.run import RunConfig

RUNS: dict[str, type[RunConfig]] = {
    "encoder": BERTConfig,
    "llm": LLMConfig,
    "linear": LinearConfig,
    "majority": MajorityConfig,
}
"""What can be run, by the name that the command and a suite file have for it."""
