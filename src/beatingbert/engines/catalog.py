"""Every engine by name. An engine's own module is imported when it is built, not before."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from beatingbert.engines.protocol import Classifier, Engine, Workplace
from beatingbert.errors import NotAvailableError, UnknownNameError


@dataclass(frozen=True, slots=True)
class Entry:
    """Where an engine lives.

    Attributes:
        about: one line for `beatingbert show engines`.
        settings: "module:class" of its settings.
        engine: "module:class" of the engine.
        restore: "module:function" that brings back what one of its classifiers has kept in a folder.
        export: "module:function" that writes what was kept for another runtime; empty where there is no such way.
        restore_exported: "module:function" that brings that back.
    """

    about: str
    settings: str
    engine: str
    restore: str
    export: str = ""
    restore_exported: str = ""


_HERE = "beatingbert.engines"
ENGINES: dict[str, Entry] = {
    "majority": Entry(
        "the most frequent label of train; the floor",
        f"{_HERE}.majority:MajoritySettings",
        f"{_HERE}.majority:MajorityEngine",
        f"{_HERE}.majority:restore",
    ),
    "linear": Entry(
        "TF-IDF with logistic regression; the baseline everyone forgets",
        f"{_HERE}.linear:LinearSettings",
        f"{_HERE}.linear:LinearEngine",
        f"{_HERE}.linear:restore",
    ),
    "embedding": Entry(
        "a frozen sentence encoder with logistic regression; what fine-tuning must beat",
        f"{_HERE}.embedding.settings:EmbeddingSettings",
        f"{_HERE}.embedding.engine:EmbeddingEngine",
        f"{_HERE}.embedding.engine:restore",
    ),
    "encoder": Entry(
        "a BERT-family encoder, fine-tuned on train",
        f"{_HERE}.encoder.settings:EncoderSettings",
        f"{_HERE}.encoder.engine:EncoderEngine",
        f"{_HERE}.encoder.engine:restore",
        f"{_HERE}.encoder.export:export",
        f"{_HERE}.encoder.runtime:restore_exported",
    ),
    "llm": Entry(
        "a small decoder LLM, prompted zero-shot or with demonstrations",
        f"{_HERE}.llm.settings:LLMSettings",
        f"{_HERE}.llm.engine:LlmEngine",
        f"{_HERE}.llm.engine:restore",
    ),
    "lora": Entry(
        "a small decoder LLM, adapted to train by LoRA and asked zero-shot",
        f"{_HERE}.lora.settings:LoraSettings",
        f"{_HERE}.lora.engine:LoraEngine",
        f"{_HERE}.lora.engine:restore",
    ),
    "optimized": Entry(
        "an LLM, in this process or behind a server, with a prompt that DSPy has optimised on train",
        f"{_HERE}.optimized.settings:OptimizedSettings",
        f"{_HERE}.optimized.engine:OptimizedEngine",
        f"{_HERE}.optimized.engine:restore",
    ),
    "served": Entry(
        "a model behind a server (Ollama, or any OpenAI-compatible one), prompted zero-shot or with demonstrations",
        f"{_HERE}.served.settings:ServedSettings",
        f"{_HERE}.served.engine:ServedEngine",
        f"{_HERE}.served.engine:restore",
    ),
}


def find_engine(name: str) -> Entry:
    """The engine's entry.

    Raises:
        UnknownNameError: there is none of this name.
    """
    if name not in ENGINES:
        raise UnknownNameError("engine", name, ENGINES, "See 'beatingbert show engines'.")
    return ENGINES[name]


def engine_version(name: str) -> int:
    """The engine's `VERSION`, which goes up when its answers may change.

    It stands beside the engine's settings, which import no heavy library: planning ten thousand cells loads no model.
    """
    return int(import_module(find_engine(name).settings.partition(":")[0]).VERSION)


def build_engine(name: str, settings: Mapping[str, Any], workplace: Workplace) -> Engine:
    """An engine from its settings as plain JSON.

    Raises:
        UnknownNameError: no such engine, or a setting that it does not have.
        SettingsError: a value that it refuses.
    """
    checked = check_settings(name, settings)
    engine: Engine = _load(find_engine(name).engine)(checked, workplace)
    return engine


def load_code(names: Collection[str]) -> None:
    """Import what these engines are made of, so that whoever times one does not time its libraries.

    Raises:
        UnknownNameError: there is none of this name.
    """
    for name in names:
        _load(find_engine(name).engine)
    if {"linear", "embedding"} & set(names):
        import sklearn.feature_extraction.text
        import sklearn.linear_model  # noqa: F401


def restore_classifier(
    name: str, folder: Path, settings: Mapping[str, Any], workplace: Workplace, *, seed: int
) -> Classifier:
    """The classifier of which `keep` has left its parts in a folder; it answers as it did.

    Raises:
        UnknownNameError: no such engine, or a setting that it does not have.
        UsageError: parts that are missing or no longer belong together.
    """
    checked = check_settings(name, settings)
    classifier: Classifier = _load(find_engine(name).restore)(folder, checked, workplace, seed=seed)
    return classifier


def export_classifier(
    name: str, kept: Path, target: Path, settings: Mapping[str, Any], workplace: Workplace, *, int8: bool
) -> None:
    """Write a kept classifier in the form of another runtime.

    Args:
        name: of its engine.
        kept: the classifier's folder.
        target: empty folder for the other form.
        settings: of the engine.
        workplace: whose task it answers.
        int8: whether weights are rounded to 8 bits.

    Raises:
        NotAvailableError: the engine has no such form.
        MissingExtraError: a package that this needs is not installed.
    """
    _load(_exporting(name).export)(kept, target, check_settings(name, settings), workplace.task, int8=int8)


def restore_exported(name: str, kept: Path, target: Path, workplace: Workplace) -> Classifier:
    """The classifier that answers with what `export_classifier` has written into `target`."""
    classifier: Classifier = _load(_exporting(name).restore_exported)(kept, target, workplace)
    return classifier


def _exporting(name: str) -> Entry:
    entry = find_engine(name)
    if not entry.export:
        able = ", ".join(other for other, one in ENGINES.items() if one.export)
        raise NotAvailableError(
            f"the {name} engine has no form for another runtime, only {able} has one; use the classifier as it is"
        )
    return entry


def check_settings(name: str, settings: Mapping[str, Any]) -> Any:
    """The engine's own settings object; imports no heavy library.

    Raises:
        UnknownNameError: no such engine, or a setting that it does not have.
        SettingsError: a value that it refuses.
    """
    settings_type = _load(find_engine(name).settings)
    known = [field.name for field in dataclasses.fields(settings_type)]
    for key in settings:
        if key not in known:
            raise UnknownNameError(f"{name} setting", key, known)
    return settings_type(**settings)


def _load(path: str) -> Any:
    module, _, attribute = path.partition(":")
    return getattr(import_module(module), attribute)
