"""The prompt of a task that has no file of its own, made from its declaration: a user's table.

What comes out is a prompt file like any other, so that it can be shown, kept, edited and hashed.
"""

from __future__ import annotations

from collections.abc import Mapping

from beatingbert.errors import PromptError

PLAIN_FIELDS = ("text", "sentence", "content", "v2")


def declared_prompt(
    fields: Mapping[str, str], labels: Mapping[str, str], descriptions: Mapping[str, str] | None = None
) -> str:
    """A prompt file's text.

    Args:
        fields: field name to the words that head it, e.g. {"Review_Text": "Review Text"}; one or two.
        labels: label to the words that stand for it. Where two labels would have the same words they stand for
            themselves, so that an answer always leads back to one label.
        descriptions: label to what it means; each becomes a line of the instruction. Labels may be left out.

    Raises:
        PromptError: a description of a label that the task does not have, or labels that cannot be told apart.
    """
    words = dict(labels)
    if len({value.casefold() for value in words.values()}) < len(words):
        words = {label: label for label in words}
    if len({value.casefold() for value in words.values()}) < len(words):
        raise PromptError("two labels differ in nothing but case, so an answer could not be told apart")
    if unknown := sorted(set(descriptions or {}) - set(words)):
        raise PromptError(f"a description of {unknown[0]!r}, which is no label; labels: {', '.join(words)}")
    one = "the text" if len(fields) == 1 else "the two texts"
    instruction = [f"Classify {one}. Answer with one of: {', '.join(words.values())}."]
    meanings = {label: " ".join(text.split()) for label, text in (descriptions or {}).items() if text.strip()}
    instruction += [f"{words[label]}: {meanings[label]}" for label in words if label in meanings]
    question = [f"{_braced(heading)}: {{{field}}}" for field, heading in fields.items()]
    lines = [f"{label}: {value}" for label, value in words.items()]
    return "\n".join(
        ["[instruction]", *instruction, "", "[question]", *question, "", "[cue]", "Label:", "", "[labels]", *lines, ""]
    )


def _braced(heading: str) -> str:
    """A heading that holds no field; a colon in it is as good as any letter."""
    return heading.replace("{", "{{").replace("}", "}}")
