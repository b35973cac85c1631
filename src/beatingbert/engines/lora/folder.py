"""An adapter on disk: PEFT's own files, and beside them what it was trained on.

A folder is written beside and renamed, so that one that is there is whole.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from peft import PeftConfig, PeftModel, get_peft_model_state_dict
from safetensors import safe_open

from beatingbert.checkpoints.reference import short_name
from beatingbert.engines.hush import hushed
from beatingbert.engines.lora.layers import lean, quiet_peft
from beatingbert.errors import CheckpointError

WEIGHTS = "adapter_model.safetensors"
CONFIG = "adapter_config.json"
TAG = "beatingbert.json"


def write_whole(folder: Path, write: Callable[[Path], None]) -> None:
    """Let `write` fill a folder beside, then put it in the place of the one that may be there."""
    beside, before = (folder.with_name(folder.name + ending) for ending in (".part", ".old"))
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(parents=True)
    try:
        write(beside)
        if folder.exists():
            folder.rename(before)
        beside.rename(folder)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
        shutil.rmtree(before, ignore_errors=True)


def save_adapter(model: PeftModel, folder: Path, tag: Mapping[str, Any]) -> None:
    """Write the adapter as PEFT does, and what it was trained on beside it.

    Args:
        model: with the adapters in it.
        folder: to be made or replaced.
        tag: what it was trained on; its "base" names the base model and its hash.
    """

    def write(beside: Path) -> None:
        model.peft_config["default"].base_model_name_or_path = tag["base"]["reference"]  # not a place on this machine
        model.save_pretrained(str(beside), save_embedding_layers=False)  # "auto" would ask the hub
        (beside / "README.md").unlink(missing_ok=True)  # PEFT's model card is an empty form
        (beside / TAG).write_text(json.dumps(tag, indent=2) + "\n", encoding="utf-8")

    write_whole(folder, write)


def load_adapter(model: Any, folder: Path, checkpoint: Mapping[str, str]) -> tuple[PeftModel, dict[str, Any]]:
    """Put a trained adapter into the base model that it was trained on.

    Args:
        model: the base model.
        folder: that holds the adapter.
        checkpoint: the base model's reference and sha256.

    Returns:
        The model with the adapter, and what is written beside it; empty for an adapter from elsewhere.

    Raises:
        CheckpointError: the folder holds no adapter, or one that does not belong to this model.
    """
    config = _read_config(folder)
    tag = _read_tag(folder)
    _check_base(folder, config, tag, checkpoint)
    misfit = f"adapter {str(folder)!r} does not fit {checkpoint['reference']!r}"
    try:
        with hushed(), quiet_peft():  # what is missing is told below
            adapted = PeftModel.from_pretrained(model, str(folder), config=lean(config))
    except (ValueError, RuntimeError) as error:
        reason = next((line.strip() for line in str(error).splitlines()[1:] if line.strip()), str(error))
        raise CheckpointError(f"{misfit}: {reason[:200]}. Give the model that it was trained on as --model") from error
    with safe_open(folder / WEIGHTS, framework="pt") as file:
        held = set(file.keys())
    wanted = set(get_peft_model_state_dict(adapted, save_embedding_layers=False))
    if held != wanted:
        odd = sorted(held ^ wanted)
        raise CheckpointError(
            f"{misfit}: {len(held - wanted)} of its weights have no place there and {len(wanted - held)} are missing, "
            f"e.g. {odd[0]!r}. Give the model that it was trained on as --model"
        )
    return adapted, tag


def _read_config(folder: Path) -> Any:
    if not (folder / CONFIG).is_file():
        inside = folder / "best_adapter"
        inside = inside if inside.is_dir() else folder / "adapter" / "best_adapter"
        hint = f"; did you mean {str(inside)!r}?" if inside.is_dir() else ""
        raise CheckpointError(f"--adapter_path {str(folder)!r} holds no {CONFIG}, so it is no adapter{hint}")
    if not (folder / WEIGHTS).is_file():
        raise CheckpointError(
            f"--adapter_path {str(folder)!r} has no {WEIGHTS}; an adapter whose weights are a pickle, which can run "
            "code when it is opened, is refused. Save it with safe_serialization=True where you trust it"
        )
    try:
        config = PeftConfig.from_pretrained(str(folder))
    except (ValueError, TypeError, KeyError) as error:
        raise CheckpointError(f"{str(folder / CONFIG)!r} cannot be read as PEFT's: {error}") from error
    if config.peft_type != "LORA":
        kind = config.peft_type or "nameless"
        raise CheckpointError(f"{str(folder / CONFIG)!r} is of a {kind} adapter; only LoRA adapters can be used")
    return config


def _read_tag(folder: Path) -> dict[str, Any]:
    if not (folder / TAG).is_file():
        return {}
    try:
        tag: dict[str, Any] = json.loads((folder / TAG).read_text(encoding="utf-8"))
        base = tag["base"]
        return {**tag, "base": {"reference": str(base["reference"]), "sha256": str(base["sha256"])}}
    except (ValueError, LookupError, TypeError) as error:
        raise CheckpointError(
            f"{str(folder / TAG)!r} is damaged: {error}. Without it an adapter is checked by its base model's name only"
        ) from error


def _check_base(folder: Path, config: Any, tag: Mapping[str, Any], checkpoint: Mapping[str, str]) -> None:
    """By the weights' hash where it is recorded, else by name."""
    reference = checkpoint["reference"]
    if tag:
        trained_on, same = tag["base"]["reference"], tag["base"]["sha256"] == checkpoint["sha256"]
        reason = f", whose weights have another hash ({tag['base']['sha256'][:12]}, not {checkpoint['sha256'][:12]})"
    else:
        trained_on = config.base_model_name_or_path or ""
        same, reason = not trained_on or short_name(trained_on) == short_name(reference), ""
    if not same:
        raise CheckpointError(
            f"adapter {str(folder)!r} was trained on {trained_on!r}{reason}; it means nothing to {reference!r}. "
            f"Use --model {trained_on}"
        )


def write_checkpoint(model: Any, tokenizer: Any, folder: Path, base: Path) -> None:
    """Write a model whose adapters are folded into its weights as a checkpoint that any program can load.

    Args:
        model: the base model within `layers.folded`.
        tokenizer: its tokenizer.
        folder: to be made or replaced.
        base: the base checkpoint's folder, whose generation settings are kept.
    """
    weights = {name.replace(".base_layer.", "."): tensor for name, tensor in model.state_dict().items()}
    weights = {name: tensor for name, tensor in weights.items() if ".lora_" not in name}

    def write(beside: Path) -> None:
        with hushed():
            model.save_pretrained(beside, state_dict=weights)
            tokenizer.save_pretrained(beside)
        written = beside / "generation_config.json"
        written.unlink(missing_ok=True)
        if (base / written.name).is_file():
            shutil.copyfile(base / written.name, written)

    write_whole(folder, write)
