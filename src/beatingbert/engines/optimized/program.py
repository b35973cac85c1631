"""A compiled program on disk: an instruction and demonstrations that anyone can read, and bring back.

`program.json` is ours and is what is loaded; `prompt.txt` is what a model is sent, with the names of the fields in
place of a question; `state.json` is DSPy's own file, for whoever goes on with the program there. None is a pickle.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from beatingbert.engines.optimized.asking import Asker, Classify
from beatingbert.engines.optimized.settings import FOLDER, PROMPT
from beatingbert.engines.optimized.signature import Form
from beatingbert.errors import CheckpointError

PROGRAM, STATE = "program.json", "state.json"
FORMAT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """What an optimiser has chosen.

    Attributes:
        instruction: what the model is told.
        demonstrations: the signature's fields of each solved example, in the order in which they are shown.
    """

    instruction: str
    demonstrations: tuple[Mapping[str, str], ...]

    @classmethod
    def of(cls, module: Any, form: Form) -> Self:
        """What DSPy's module holds."""
        (predictor,) = module.predictors()
        wanted = (*form.inputs, *form.outputs)
        shown = [{name: str(demo[name]) for name in wanted if name in demo} for demo in predictor.demos]
        return cls(instruction=str(predictor.signature.instructions), demonstrations=tuple(shown))

    def module(self, asker: Asker) -> Classify:
        """As DSPy's module."""
        import dspy

        made = Classify(asker)
        made.predict.signature = asker.form.signature(self.instruction)
        made.predict.demos = [dspy.Example(**demo) for demo in self.demonstrations]
        return made

    def before(self, inputs: Mapping[str, str], form: Form) -> list[Mapping[str, str]]:
        """What to show before this question: a demonstration that repeats it is left out."""
        own = key_of(inputs, form)
        return [demo for demo in self.demonstrations if key_of(demo, form) != own]


def key_of(values: Mapping[str, str], form: Form) -> tuple[str, ...]:
    """What makes two sets of inputs the same question, as `text_key` does for a question."""
    return tuple(" ".join(str(values.get(name, "")).split()).casefold() for name in form.inputs)


def prompt_text(program: Program, asker: Asker) -> str:
    """Everything that a model is sent, each turn under its role, with `{field}` in place of the question's fields."""
    form = asker.form
    inputs = {name: f"{{{name}}}" for name in form.inputs}
    turns = asker.adapter.turns(form.signature(program.instruction), program.demonstrations, inputs)
    opens = asker.adapter.opening(form.signature(), inputs).opens
    said = [*turns, ("assistant", f"{opens} ..." if opens.strip() == opens else f"{opens}...")]
    return "\n\n".join(f"[{role}]\n{text.strip()}" for role, text in said) + "\n"


def save_program(program: Program, asker: Asker, folder: Path, task: str) -> None:
    """Write the three files, `program.json` last: where it is, the others are whole."""
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder / PROMPT, prompt_text(program, asker))
    beside = folder / f"part-{STATE}"
    program.module(asker).save(str(beside))
    beside.replace(folder / STATE)
    form = asker.form
    data = {
        "format": FORMAT,
        "task": task,
        "adapter": asker.adapter_name,
        "instruction": program.instruction,
        "demonstrations": [dict(demo) for demo in program.demonstrations],
        "inputs": list(form.inputs),
        "outputs": list(form.outputs),
        "labels": dict(form.words),
    }
    _write(folder / PROGRAM, json.dumps(data, indent=2, ensure_ascii=False) + "\n")


def load_program(folder: Path, asker: Asker) -> Program:
    """The program in a folder that `save_program` wrote.

    Raises:
        CheckpointError: there is none, it is damaged, or it is for other fields or labels.
    """
    data, form = _read(folder), asker.form
    own = {
        "adapter": asker.adapter_name,
        "inputs": list(form.inputs),
        "outputs": list(form.outputs),
        "labels": dict(form.words),
    }
    for name, value in own.items():
        if data[name] != value:
            raise CheckpointError(
                f"the program in {str(folder)!r} was compiled for {name} {data[name]}, but here they are {value}; use "
                "its own task and prompt file, and --reasoning and --dspy_adapter as for its compilation"
            )
    return Program(instruction=data["instruction"], demonstrations=tuple(data["demonstrations"]))


def count_labels(folder: Path) -> int:
    """How many labels, or listed choices, a kept program knows.

    Raises:
        CheckpointError: as `load_program`.
    """
    return len(_read(folder)["labels"])


def _read(folder: Path) -> dict[str, Any]:
    path = folder / PROGRAM
    if not path.is_file():
        inside = folder / FOLDER
        hint = f"; did you mean {str(inside)!r}?" if (inside / PROGRAM).is_file() else ""
        raise CheckpointError(f"--program_path {str(folder)!r} holds no {PROGRAM}, so it is no compiled program{hint}")
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        if data["format"] != FORMAT:
            raise ValueError(f"format {data['format']!r}, expected {FORMAT}")
        demonstrations = [{_text(key): _text(value) for key, value in demo.items()} for demo in data["demonstrations"]]
        return {
            "instruction": _text(data["instruction"]),
            "demonstrations": demonstrations,
            "adapter": _text(data["adapter"]),
            "inputs": list(map(_text, data["inputs"])),
            "outputs": list(map(_text, data["outputs"])),
            "labels": {_text(key): _text(value) for key, value in data["labels"].items()},
        }
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise CheckpointError(
            f"{str(path)!r} is damaged ({type(error).__name__}: {error}); compile it again"
        ) from error


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"expected a text, found {value!r:.60}")
    return value


def _write(path: Path, text: str) -> None:
    beside = path.with_name(path.name + ".part")
    beside.write_text(text, encoding="utf-8")
    beside.replace(path)
