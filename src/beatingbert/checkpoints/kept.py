"""The weights that a kept classifier asks but does not hold: how they are named in its folder, and found again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from beatingbert.checkpoints.reference import Checkpoint, resolve
from beatingbert.errors import CheckpointError
from beatingbert.progress import Progress

NAME = "checkpoint.json"
LOCAL = ("folder", "gguf")


def keep_checkpoint(folder: Path, described: Mapping[str, str]) -> None:
    """Write down which weights they are.

    Args:
        folder: the classifier's.
        described: reference, kind, revision and sha256, as a record has them. A path is made absolute, for whoever
            loads the classifier may stand elsewhere.
    """
    reference = described["reference"]
    if described["kind"] in LOCAL:
        reference = str(Path(reference).expanduser().resolve())
    text = json.dumps({**described, "reference": reference}, indent=2, ensure_ascii=False)
    (folder / NAME).write_text(text + "\n", encoding="utf-8")


def read_kept(folder: Path) -> dict[str, str]:
    """What `keep_checkpoint` wrote."""
    kept: dict[str, str] = json.loads((folder / NAME).read_text(encoding="utf-8"))
    return kept


def kept_checkpoint(folder: Path, progress: Progress) -> Checkpoint:
    """The weights on this machine, fetched anew where they have gone.

    Raises:
        CheckpointError: they are not there, or are others by now.
    """
    kept = read_kept(folder)
    reference, digest = kept["reference"], kept["sha256"]
    if kept["kind"] in LOCAL and not Path(reference).exists():
        raise CheckpointError(
            f"the classifier asks the weights in {reference!r} (SHA-256 {digest[:12]}...), and nothing is there any "
            "more; put them back"
        )
    checkpoint = resolve(reference, revision=kept["revision"] if kept["kind"] == "hub" else None, progress=progress)
    if checkpoint.sha256 != digest:
        raise CheckpointError(
            f"the weights in {reference!r} are others than those that the classifier was made with (SHA-256 "
            f"{checkpoint.sha256[:12]}..., not {digest[:12]}...); put the former ones back, or make it anew"
        )
    return checkpoint
