"""Fine-tune BERT or use a small LLM? Runs both sides under the same rules and says who wins, and how surely."""

from importlib.metadata import version as _version

from beatingbert.classifiers.estimator import KeptClassifier, load_classifier
from beatingbert.decision.decide import decide
from beatingbert.decision.decision import Decision
from beatingbert.experiments.config import BERTConfig, GemmaConfig, LinearConfig, LLMConfig, MajorityConfig, RunConfig
from beatingbert.experiments.runner import run
from beatingbert.runs.record import RunRecord

__version__ = _version("beatingbert")
__all__ = [
    "BERTConfig",
    "Decision",
    "GemmaConfig",
    "KeptClassifier",
    "LLMConfig",
    "LinearConfig",
    "MajorityConfig",
    "RunConfig",
    "RunRecord",
    "__version__",
    "decide",
    "load_classifier",
    "run",
]
