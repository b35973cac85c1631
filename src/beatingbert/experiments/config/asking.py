"""How a small LLM is asked, whatever comes before: the part of an LLM run that every mode knows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from beatingbert.experiments.config.run import ModelName, RunConfig

MAX_NEW_TOKENS = 10  # of a reply that is a label


def is_given(value: object) -> bool:
    """Whether a setting that only some modes know has been given: 0 has, a switch that is off has not."""
    return value is not None and value is not False


@dataclass(frozen=True, kw_only=True)
class AskingConfig(RunConfig):
    """How a small LLM is asked.

    Attributes:
        mode: How to ask. 'lora' trains an adapter first and asks zero-shot; 'dspy' lets an optimiser of DSPy choose the
            instruction and the demonstrations first.
        model_name: Hub id, local folder, local GGUF file or wheel:NAME. Behind a server: ollama/NAME, or openai/NAME
            for whatever speaks OpenAI's protocol at --base_url.
        num_few_shot: Demonstrations before each question, in few-shot mode; in dspy mode at most so many.
        temperature: 0 takes the most likely answer; more samples written replies, so it implies --answer_by generation.
        batch_size: Questions per forward pass at most. Default: as many as keep the device busy. In lora mode, train
            examples per forward pass. Default: 8.
        rank_only: Leave out the normaliser where every label is one token: a little faster, same answers and label
            probabilities, but the log-likelihoods kept are bare logits.
        max_new_tokens: Longest written reply, for --answer_by generation without --constrained. Default: 10. In dspy
            mode longest instruction, and reason with label, that is written. Default: 300.
        max_length: Tokens of prompt and answer together at most; only the passage is cut, and cuts are counted.
        answer_by: 'likelihood' takes the label whose words are most likely; 'generation' lets the model write and
            reads the reply strictly. Default: likelihood; behind a server, the best that it offers.
        constrained: Let the model write nothing but one of the labels, word by word; implies --answer_by generation.
        choice_by: Multiple choice only. 'ending' scores the words of each choice, or what follows the blank that it
            fills; 'letter' lists the choices as A, B, ... and takes one letter. Default: ending, but
            letter behind a server.
        normalise_by: Multiple choice by ending only. 'characters' takes the ending that is most likely for its length
            in characters (acc_norm), 'none' the most likely one (acc). Both accuracies are reported.
        chat_template: 'auto' uses the tokenizer's chat template where there is one.
        shot_order: Few-shot mode only. 'mixed' shuffles the demonstrations; 'by_label' shows the same ones label by
            label, which pulls answers to the last one.
        calibration: Takes the prompt's own bias out of the label probabilities: 'contextual' as content-free texts show
            it, 'batch' as up to 128 unlabelled development or train questions do. Not for multiple choice.
        prompt_dir: Folder with prompt files of your own (TASK.txt; see 'beatingbert show prompts').
        no_fp16: Compute in full fp32 even where the hardware has a faster format.
    """

    mode: Literal["zero-shot", "few-shot", "lora", "dspy"] = "zero-shot"
    model_name: ModelName = "google/gemma-3-1b-it"
    num_few_shot: int = 5
    temperature: float = 0.0
    batch_size: int | None = None
    max_new_tokens: int | None = None
    max_length: int = 2048
    answer_by: Literal["likelihood", "generation"] | None = None
    constrained: bool = False
    rank_only: bool = False
    choice_by: Literal["ending", "letter"] | None = None
    normalise_by: Literal["characters", "none"] = "characters"
    chat_template: Literal["auto", "always", "never"] = "auto"
    shot_order: Literal["mixed", "by_label"] = "mixed"
    calibration: Literal["none", "contextual", "batch"] = "none"
    prompt_dir: Path | None = None
    no_fp16: bool = False

    @property
    def shots(self) -> int:
        """Demonstrations that are shown."""
        return self.num_few_shot if self.mode == "few-shot" else 0

    @property
    def _must_write(self) -> bool:
        """Whether other settings only make sense for written replies."""
        return self.temperature > 0 or self.constrained

    @property
    def model(self) -> str:
        """The checkpoint's reference."""
        return self.model_name

    @property
    def _longest_reply(self) -> int:
        """Tokens of a reply that is a label."""
        return MAX_NEW_TOKENS if self.max_new_tokens is None else self.max_new_tokens

    @property
    def prompt_folder(self) -> Path | None:
        """The user's own prompt files."""
        return self.prompt_dir

    def _asking_settings(self) -> dict[str, Any]:
        """As `LLMSettings` wants them."""
        # Named only where it is unusual, so that cells of before there was a choice keep their ids.
        order = {} if self.shot_order == "mixed" else {"shot_order": self.shot_order}
        return {
            **order,
            "checkpoint": self.model_name,
            "shots": self.shots,
            "answer_by": self.answer_by or ("generation" if self._must_write else "likelihood"),
            "temperature": self.temperature,
            "constrained": self.constrained,
            "rank_only": self.rank_only,
            "batch_size": self.batch_size,
            "max_new_tokens": self._longest_reply,
            "max_length": self.max_length,
            "full_precision": self.no_fp16,
            "chat_template": self.chat_template,
            "choice_by": self.choice_by or "ending",
            "normalise_by": self.normalise_by,
            "calibration": self.calibration,
        }
