"""A prompt and its demonstrations in the folder of a kept classifier, so that it asks in the same words elsewhere."""

from __future__ import annotations

import json
from pathlib import Path

from beatingbert.prompts.demonstrations import Demonstrations
from beatingbert.prompts.template import Template

PROMPTS, DEMONSTRATIONS = "prompts", "demonstrations.json"


def keep_prompt(folder: Path, template: Template, demonstrations: Demonstrations) -> None:
    """Write the prompt file and what is shown."""
    keep_template(folder, template.name, template.text)
    text = json.dumps(demonstrations.to_json(), indent=2, ensure_ascii=False)
    (folder / DEMONSTRATIONS).write_text(text + "\n", encoding="utf-8")


def keep_template(folder: Path, name: str, text: str) -> None:
    """Write the prompt file as it was read, in a folder of its own as `--prompt_dir` wants one."""
    (folder / PROMPTS).mkdir()
    (folder / PROMPTS / f"{name}.txt").write_text(text, encoding="utf-8")


def kept_prompts(folder: Path) -> Path:
    """The folder with the prompt file."""
    return folder / PROMPTS


def kept_demonstrations(folder: Path) -> Demonstrations:
    """What was shown.

    Raises:
        DataError: the file is damaged.
    """
    return Demonstrations.from_json(json.loads((folder / DEMONSTRATIONS).read_text(encoding="utf-8")))
