"""The lora engine: a causal language model that is adapted on train and asked zero-shot, by the llm engine's own code.

It answers with the adapters beside the weights, not folded into them: weights in bf16 lie on a grid, and what part of
an update is smaller than half its step would be lost (docs/LOG.md). So the model that answers and the one that
`adapter` brings back are the same to the last bit. So is the one that is scored on the development part, but for the
order in which products are summed where answering has a faster way than training (`onednn.pays`).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from peft import PeftModel

from beatingbert.checkpoints.reference import resolve
from beatingbert.engines import onednn
from beatingbert.engines.llm.classifier import ADAPTER, LlmClassifier
from beatingbert.engines.llm.engine import LlmEngine
from beatingbert.engines.lora.folder import WEIGHTS, load_adapter, save_adapter, write_checkpoint
from beatingbert.engines.lora.layers import adapt, adapted_names, factors, folded, settle, take_out
from beatingbert.engines.lora.rows import encode
from beatingbert.engines.lora.settings import LoraSettings
from beatingbert.engines.lora.train import train_adapter
from beatingbert.engines.protocol import EngineFacts, Workplace
from beatingbert.errors import TooFewExamplesError
from beatingbert.tasks.example import Example
from beatingbert.tasks.prediction import Prediction


class LoraEngine:
    """Trains an adapter, or loads one that was trained before."""

    def __init__(self, settings: LoraSettings, workplace: Workplace) -> None:
        self._settings = settings
        self._workplace = workplace

    def fit(self, train: Sequence[Example], *, development: Sequence[Example], seed: int) -> LlmClassifier:
        """Adapt the model to `train`; the epoch that is best on `development` answers."""
        settings, task = self._settings, self._workplace.task
        if settings.adapter is None and task.labels and len({example.label for example in train}) < 2:
            raise TooFewExamplesError(f"training needs at least two labels in train, got {len(train)} rows of one")
        plain, _ = LlmEngine(settings.asking(), self._workplace).prepare([], seed=seed, only_to_answer=False)
        return self.adapt(plain, train, development=development, seed=seed)

    def adapt(
        self, plain: LlmClassifier, train: Sequence[Example], *, development: Sequence[Example], seed: int
    ) -> LlmClassifier:
        """Put an adapter into the model: one that is trained now, or the one that the settings name."""
        settings = self._settings
        exam = Exam(plain, settings, self._workplace, development, seed)
        if settings.adapter is None:
            model, folder = self._train(plain, exam, train, seed)
        else:
            folder = Path(settings.adapter)
            model, tag = load_adapter(plain.model, folder, plain.facts.checkpoint)
            own = self._tag(plain)
            otherwise = [name for name in own if name != "base" and tag.get(name, own[name]) != own[name]]
            plain.facts.notes |= {"adapter": str(folder), "asked_otherwise_than_trained": otherwise}
        self._workplace.shelf.undo_before_next(lambda: take_out(model))
        model.eval()
        self._describe(model, folder, plain.facts)
        if settings.merge:
            plain.facts.notes["merged_model"] = self._merge(plain, exam, model)
        settle(model)
        if onednn.pays(plain.facts.device):
            onednn.pack(model, but=factors(model))
            self._workplace.shelf.clear()  # packing cannot be undone
        adapted = exam.candidate(model.get_base_model(), plain.facts, self._workplace)
        adapted.adapter = folder
        return adapted

    def _train(self, plain: LlmClassifier, exam: Exam, train: Sequence[Example], seed: int) -> tuple[PeftModel, Path]:
        """The model with the best epoch's adapter in it, and the folder where that lies."""
        facts, folder = plain.facts, self._workplace.folder / "adapter"
        rows = encode(plain.tokenizer, plain.wording, train)
        model = adapt(plain.model, self._settings, seed=seed)
        tag = self._tag(plain)
        started = time.perf_counter()
        trained = train_adapter(
            model,
            rows,
            self._settings,
            precision=facts.precision,
            seed=seed,
            scratch=folder / "trainer",
            judge=(lambda: exam.grade(model.get_base_model())) if exam.rows else None,
            keep=lambda name: save_adapter(model, folder / name, tag),
            progress=self._workplace.progress,
            deadline=self._workplace.upkeep.deadline,
        )
        facts.train_seconds = time.perf_counter() - started
        facts.history = trained.history
        facts.notes |= {
            "best_epoch": trained.best_epoch,
            "train_rows": len(train),
            "development_rows": exam.rows,
            "train_rows_truncated": sum(row.lost_tokens > 0 for row in rows),
            "reads_common_beginning_once": trained.packed,
            **({"out_of_time": True} if trained.out_of_time else {}),
        }
        return model, folder / "best_adapter"

    def _merge(self, plain: LlmClassifier, exam: Exam, model: PeftModel) -> dict[str, Any]:
        """Write the checkpoint, and tell what rounding its weights has changed on the development part."""
        base = resolve(self._settings.checkpoint, progress=self._workplace.progress)
        before = exam.answers(model.get_base_model())
        with folded(model) as whole:
            write_checkpoint(whole, plain.tokenizer, self._workplace.folder / "merged_model", base.path)
            after = exam.answers(whole)
        changed = sum(one.label != other.label for one, other in zip(before, after, strict=True))
        return {"precision": plain.facts.precision, "rows_compared": len(before), "answers_changed": changed}

    def _tag(self, plain: LlmClassifier) -> dict[str, Any]:
        """What an adapter is trained on, to be written beside it."""
        return {
            "base": dict(plain.facts.checkpoint),
            "task": self._workplace.task.name,
            "prompt_sha256": plain.wording.template.sha256,
            "chat_template": plain.wording.chat,
            "choice_by": self._settings.choice_by,
        }

    def _describe(self, model: PeftModel, folder: Path, facts: EngineFacts) -> None:
        config = model.peft_config["default"]
        weights = sum(weight.numel() for name, weight in model.named_parameters() if ".lora_" in name)
        adapter_bytes = (folder / WEIGHTS).stat().st_size
        facts.notes |= {
            "trainable_parameters": weights,
            "trainable_share": weights / facts.parameters,
            "rank": config.r,
            "alpha": config.lora_alpha,
            "target_modules": adapted_names(model),
            "adapter_bytes": adapter_bytes,
        }
        facts.parameters = (facts.parameters or 0) + weights
        facts.disk_bytes = (facts.disk_bytes or 0) + adapter_bytes


def restore(folder: Path, settings: LoraSettings, workplace: Workplace, *, seed: int) -> LlmClassifier:
    """The classifier that was kept in the folder: the adapter in the base model that it was trained on."""
    settings = replace(settings, adapter=str(folder / ADAPTER), merge=False)
    plain = LlmEngine(settings.asking(), workplace).reopen(folder, seed=seed, only_to_answer=False)
    return LoraEngine(settings, workplace).adapt(plain, [], development=[], seed=seed)


class Exam:
    """The development part, answered as questions will be answered later.

    Args:
        plain: the model that is not adapted yet, with its words.
        settings: how it is asked.
        workplace: of the run.
        development: what is answered.
        seed: of sampled replies.
    """

    def __init__(
        self,
        plain: LlmClassifier,
        settings: LoraSettings,
        workplace: Workplace,
        development: Sequence[Example],
        seed: int,
    ) -> None:
        self.rows = len(development)
        self._plain = plain
        self._settings = settings
        self._workplace = replace(workplace, progress=lambda _, *done: workplace.progress("development", *done))
        self._questions = [example.question for example in development]
        self._gold = [example.label for example in development]
        self._seed = seed

    def candidate(self, model: Any, facts: EngineFacts, workplace: Workplace) -> LlmClassifier:
        """The llm engine's classifier over a model as it is now; made anew each time, for it keeps what it has read."""
        plain, asking = self._plain, self._settings.asking()
        return LlmClassifier(model, plain.tokenizer, plain.wording, asking, facts, workplace, self._seed)

    def answers(self, model: Any) -> list[Prediction]:
        """What a model answers."""
        model.eval()
        return self.candidate(model, EngineFacts(), self._workplace).predict(self._questions)

    def grade(self, model: Any) -> dict[str, float]:
        """Accuracy and macro-F1 as fractions and Matthews correlation; an answer that names no label is wrong."""
        from sklearn.metrics import f1_score, matthews_corrcoef

        chosen = [one.label or "" for one in self.answers(model)]
        right = sum(one == label for one, label in zip(chosen, self._gold, strict=True))
        macro_f1 = f1_score(self._gold, chosen, labels=sorted(set(self._gold)), average="macro", zero_division=0.0)
        mcc = matthews_corrcoef(self._gold, chosen)
        return {"accuracy": right / self.rows, "macro_f1": float(macro_f1), "mcc": float(mcc)}
