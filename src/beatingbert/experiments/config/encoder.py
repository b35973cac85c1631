"""What a run of a BERT-family encoder is told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from beatingbert.engines.protocol import Upkeep
from beatingbert.errors import SettingsError
from beatingbert.experiments.config.run import Flag, ModelName, RunConfig


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
        metric_for_best: What the best epoch is chosen by; 'loss' tells of overfitting before the others do.
        early_stopping_patience: Epochs without a better one after which training stops. Default: never.
        fresh_head: Throw away a head that the checkpoint has already been trained with.
        retry_collapsed: Train again with another seed, this often at most, while all answers on the development part
            are one class.
        r_drop: Weight of the divergence between two passes with different dropout (R-Drop's alpha; 1 to 5 are usual).
            Twice the time. 0 for none.
        weight_average: Let the average of the steps' weights answer, of which each step leaves this share (0.999 is
            usual). 0 for none.
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
    metric_for_best: Literal["accuracy", "macro_f1", "mcc", "loss"] = "accuracy"
    early_stopping_patience: int | None = None
    fresh_head: bool = False
    retry_collapsed: int = 0
    r_drop: float = 0.0
    weight_average: float = 0.0
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
        settings = {
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
        # Named only where they are used, so that cells without them keep their ids.
        unusual = {"r_drop": self.r_drop, "weight_average": self.weight_average}
        return settings | {name: value for name, value in unusual.items() if value}

    @property
    def upkeep(self) -> Upkeep:
        """How the training is kept and watched."""
        return Upkeep(resume=self.resume, checkpoint_steps=self.checkpoint_steps, report_to=self.report_to)
