"""What a server of a classifier is sent and answers, as pydantic models, which check and describe it.

No `from __future__ import annotations` here: models are made for one task, from types that have no name in the module.
"""

from collections.abc import Callable
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, create_model

from beatingbert.tasks.prediction import Prediction
from beatingbert.tasks.spec import Shape, Task


class Answer(BaseModel):
    """The answer to one text."""

    label: str | None = Field(description="null where the model's reply named no label")
    probability: float | None = Field(description="of the label; null where the model has none")
    probabilities: dict[str, float] | None = Field(description="label to probability; they sum to 1")


class Answers(BaseModel):
    """One answer per text, in their order."""

    predictions: list[Answer]


class Health(BaseModel):
    """Who answers."""

    status: str
    engine: str
    runtime: str
    task: str
    labels: list[str]
    waiting: int = Field(description="texts that wait for an answer")


def answer_of(prediction: Prediction) -> Answer:
    """A prediction as it is sent."""
    probabilities = None if prediction.probabilities is None else dict(prediction.probabilities)
    chosen = None if probabilities is None or prediction.label is None else probabilities[prediction.label]
    return Answer(label=prediction.label, probability=chosen, probabilities=probabilities)


def request_model(task: Task, *, texts: int, characters: int) -> type[BaseModel]:
    """The body of a request, `{"texts": [...]}`, for one task.

    Args:
        task: what is asked.
        texts: in a request at most.
        characters: of a text at most.
    """
    one: Any = _text_type(task, Annotated[str, Field(max_length=characters)])
    about = Field(min_length=1, max_length=texts, description=_about(task), examples=[_sample(task)])
    fields: Any = {"texts": (list[one], about)}
    return create_model("Asked", __config__=ConfigDict(extra="forbid"), __doc__="Texts to be answered.", **fields)


def _text_type(task: Task, text: Any) -> Any:
    """What stands for one question."""
    if task.shape is Shape.SINGLE:
        return text
    if task.shape is Shape.PAIR:
        return Annotated[tuple[text, text], BeforeValidator(_two_in_a_list(task))]
    return dict[str, text | Annotated[list[text], Field(min_length=2, max_length=26)]]


def _two_in_a_list(task: Task) -> Callable[[Any], Any]:
    """Tells what a pair looks like; pydantic would ask for a tuple, which JSON does not have."""
    wanted = f"expected a list of two texts, {' and '.join(task.text_fields)} in this order"

    def check(given: Any) -> Any:
        if not isinstance(given, list | tuple) or len(given) != 2:
            raise ValueError(wanted)
        return given

    return check


def _about(task: Task) -> str:
    columns = ", ".join((*task.text_fields, *task.choice_columns))
    return {
        Shape.SINGLE: f"texts ({columns})",
        Shape.PAIR: f"pairs of texts, in this order: {columns}",
        Shape.CHOICE: f"objects with the columns {columns}",
    }[task.shape]


def _sample(task: Task) -> list[Any]:
    if task.shape is Shape.SINGLE:
        return ["a gripping film"]
    if task.shape is Shape.PAIR:
        return [["a first text", "a second one"]]
    sample: dict[str, Any] = dict.fromkeys((*task.text_fields, *task.choice_columns), "a text")
    if len(task.choice_columns) == 1:
        sample[task.choice_columns[0]] = ["one", "two"]
    return [sample]
