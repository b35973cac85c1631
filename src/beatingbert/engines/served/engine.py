"""The served engine: a model behind a server, asked as it is, with or without demonstrations.

Knows neither torch nor any tokenizer, so a run with it starts at once.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from beatingbert.checkpoints.kept import keep_checkpoint, read_kept
from beatingbert.engines.protocol import Access, EngineFacts, Workplace
from beatingbert.engines.served.account import seconds_together, usage_notes
from beatingbert.engines.served.answers import normalised, read_beginnings, read_choice, read_echoes
from beatingbert.engines.served.cache import AnswerCache
from beatingbert.engines.served.client import Reply, Request, Server
from beatingbert.engines.served.desk import Desk
from beatingbert.engines.served.endpoints import chosen_text
from beatingbert.engines.served.ollama_server import OllamaServer
from beatingbert.engines.served.openai_server import OpenAIServer
from beatingbert.engines.served.settings import OLLAMA, ServedSettings, split_reference
from beatingbert.engines.served.ways import find_way
from beatingbert.engines.served.wording import BEGINNINGS, CHOICE, ECHO, SCORING, Way, Wording
from beatingbert.errors import CheckpointError
from beatingbert.progress import Progress
from beatingbert.prompts.demonstrations import Demonstrations, draw_demonstrations
from beatingbert.prompts.kept import keep_prompt, kept_demonstrations, kept_prompts
from beatingbert.prompts.letters import parse_letter
from beatingbert.prompts.parse import parse_reply
from beatingbert.prompts.template import Template, load_template
from beatingbert.tasks.example import Example, Question
from beatingbert.tasks.prediction import Prediction
from beatingbert.tasks.spec import Shape
from beatingbert.wheels import cache_dir

ACCESS = "access.json"  # in the folder of a kept classifier
KEPT_IN = "served/answers.sqlite"  # under the cache folder
NOBODY_KNOWS = "the model runs in a process of its own behind a server, whose memory cannot be seen from here"
BETWEEN_PROMPTS = "\n--- or ---\n"

Ask = Callable[[Sequence[Request]], list[Reply]]


class ServedEngine:
    """Finds the server and its model, the best way of asking them, and draws the demonstrations; trains nothing."""

    def __init__(self, settings: ServedSettings, workplace: Workplace) -> None:
        self._settings = settings
        self._workplace = workplace

    def fit(self, train: Sequence[Example], *, development: Sequence[Example], seed: int) -> ServedClassifier:
        """Draw demonstrations from `train` (none for zero-shot) and find out what the server offers."""
        task = self._workplace.task
        template = load_template(task, self._workplace.prompt_dir)
        return self.open(template, draw_demonstrations(task, train, self._settings.shots, seed=seed), seed=seed)

    def open(self, template: Template, demonstrations: Demonstrations, *, seed: int) -> ServedClassifier:
        """The server, ready to be asked in these words."""
        settings, task, access = self._settings, self._workplace.task, self._workplace.access
        if task.shape is Shape.CHOICE:
            template = template.by_letter()
        started = time.perf_counter()
        server = connect(settings, access, self._workplace.progress)
        desk = open_desk(server, settings, access)
        wording = Wording(task, template, demonstrations, settings, seed)
        way = find_way(desk, server, wording, settings)
        facts = server_facts(server, settings, load_seconds=time.perf_counter() - started)
        facts.template = {"name": template.name, "text": template.text, "sha256": template.sha256}
        facts.notes |= {
            "scoring": SCORING[way.scoring],
            "answer_by": "likelihood" if way.has_probabilities else "generation",
            "constraint": way.constraint,
            "chat_template": way.chat,
            "cue_opens_the_models_turn": bool(template.cue) and (way.goes_on or not way.chat),
            **({"choices": "by letter"} if template.lists_choices else {}),
            "demonstrations": [example.question.id for example in demonstrations.shown],
        }
        return ServedClassifier(desk, wording, way, facts, self._workplace)


def restore(folder: Path, settings: ServedSettings, workplace: Workplace, *, seed: int) -> ServedClassifier:
    """The classifier that was kept in the folder, asking the same server; its key comes from the environment.

    Raises:
        CheckpointError: the server tells that the model of this name is another one by now.
    """
    workplace = with_kept_access(folder, workplace)
    template = load_template(workplace.task, kept_prompts(folder))
    classifier = ServedEngine(settings, workplace).open(template, kept_demonstrations(folder), seed=seed)
    require_same_model(folder, classifier.facts)
    return classifier


def keep_access(folder: Path, access: Access) -> None:
    """Write down in which variable the server's key is: never the key itself."""
    text = json.dumps({"key_variable": access.key_variable}, indent=2)
    (folder / ACCESS).write_text(text + "\n", encoding="utf-8")


def with_kept_access(folder: Path, workplace: Workplace) -> Workplace:
    """The workplace with the variable of the key that was kept, where it names none itself."""
    if workplace.access.key_variable is not None:
        return workplace
    variable = json.loads((folder / ACCESS).read_text(encoding="utf-8"))["key_variable"]
    return replace(workplace, access=replace(workplace.access, key_variable=variable))


def require_same_model(folder: Path, facts: EngineFacts) -> None:
    """Refuse to go on with a kept classifier whose model is another one by now, as far as the server tells.

    Raises:
        CheckpointError: it is.
    """
    then, now = read_kept(folder)["sha256"], facts.checkpoint["sha256"]
    if then != now:
        raise CheckpointError(
            f"{facts.checkpoint['reference']!r} is another model on its server than the one that the classifier was "
            f"made with (digest {now[:12]!r}, not {then[:12]!r}); fetch the former one, or make the classifier anew"
        )


def connect(settings: ServedSettings, access: Access, progress: Progress) -> Server:
    """The server that the settings name, once it has been found to run and to have the model; see its class."""
    kind, name = split_reference(settings.model)
    if kind == OLLAMA:
        return OllamaServer(name, settings.base_url, access, room=settings.max_length, progress=progress)
    return OpenAIServer(name, settings.base_url, access)


def open_desk(server: Server, settings: ServedSettings, access: Access) -> Desk:
    """Where requests are taken, with the answers of all runs on this machine."""
    identity = {"model": settings.model, "base_url": settings.base_url, "digest": server.about.digest}
    return Desk(server, AnswerCache(cache_dir() / KEPT_IN), access, identity)


def server_facts(server: Server, settings: ServedSettings, *, load_seconds: float) -> EngineFacts:
    """What a server tells of its model, for the record."""
    about = server.about
    return EngineFacts(
        load_seconds=load_seconds,
        parameters=about.parameters,
        disk_bytes=about.disk_bytes,
        checkpoint={
            "reference": settings.model,
            "kind": "served",
            "revision": about.digest,
            "sha256": about.digest,
        },
        device="server",
        precision="unknown",
        notes={"server": {"kind": about.kind, "base_url": settings.base_url, **about.more}},
        memory_unknown=NOBODY_KNOWS,
    )


@dataclass(frozen=True, slots=True)
class Answered:
    """A prediction and the replies that it was made of."""

    prediction: Prediction
    replies: tuple[Reply, ...]


class ServedClassifier:
    """A served model that answers questions in the words of one template."""

    def __init__(self, desk: Desk, wording: Wording, way: Way, facts: EngineFacts, workplace: Workplace) -> None:
        self.facts = facts
        self._desk = desk
        self._wording = wording
        self._way = way
        self._workplace = workplace
        self._answered: dict[str, Answered] = {}  # by what was sent, for the account of tokens

    def predict(self, questions: Sequence[Question]) -> list[Prediction]:
        """One answer per question, in the order given; a request that fails ends it, and is never a wrong answer."""
        told = partial(self._workplace.progress, "answering")
        answered = self._answer(questions, lambda requests: self._desk.ask(requests, lambda n: told(n, len(requests))))
        return [one.prediction for one in answered]

    def keep(self, folder: Path) -> None:
        """In which words the model is asked and in which variable the key is: never the key itself."""
        keep_checkpoint(folder, self.facts.checkpoint)
        keep_prompt(folder, self._wording.template, self._wording.demonstrations)
        keep_access(folder, self._workplace.access)

    def seconds_alone(self, question: Question) -> float:
        """As `KeepsAnswers`."""
        (answered,) = self._answer([question], self._desk.ask_alone)
        return sum(reply.seconds for reply in answered.replies)

    def seconds_together(self, questions: Sequence[Question]) -> float:
        """As `KeepsAnswers`; see `account.seconds_together`."""
        return seconds_together([one.replies for one in self._answer(questions, self._desk.ask)])

    def _answer(self, questions: Sequence[Question], ask: Ask) -> list[Answered]:
        """First requests for all, then a second one where the first has left the answer open."""
        requests = [self._wording.requests(question, self._way) for question in questions]
        came = iter(ask([request for several in requests for request in several]) if questions else ())
        replies = [[next(came) for _ in several] for several in requests]
        predictions = [
            self._read(question, several, first=True) for question, several in zip(questions, replies, strict=True)
        ]
        open_ones = [at for at, prediction in enumerate(predictions) if prediction is None]
        if open_ones:
            fuller = ask([self._wording.in_full(questions[at], self._way) for at in open_ones])
            for at, reply in zip(open_ones, fuller, strict=True):
                replies[at].append(reply)
                predictions[at] = self._read(questions[at], [reply], first=False)
        answered = []
        for prediction, several, sent in zip(predictions, replies, requests, strict=True):
            assert prediction is not None  # the second reading always gives one
            one = Answered(prediction, tuple(several))
            self._answered[sent[0].shown()] = one
            answered.append(one)
        self._account()
        return answered

    def _read(self, question: Question, replies: Sequence[Reply], *, first: bool) -> Prediction | None:
        """What the replies say; None where the first token leaves it open, so that more should be asked for."""
        words = self._wording.words(question)
        reply, scoring = replies[0], self._way.scoring
        said: dict[str, Any] = {
            "question_id": question.id,
            "reply": reply.text,
            "prompt": BETWEEN_PROMPTS.join(one.shown() for one in self._wording.requests(question, self._way)),
        }
        scores = None
        if scoring == ECHO:
            scores = read_echoes({label: one.tokens for label, one in zip(words, replies, strict=True)})
            said["reply"] = None  # what comes after the echo is no answer
        elif scoring == BEGINNINGS:
            scores = read_beginnings(reply.tokens, words)
            if scores is None and first:
                return None
        if scores is not None:
            label = max(scores, key=scores.__getitem__)
            return Prediction(label=label, probabilities=normalised(scores), log_likelihoods=scores, **said)
        if scoring == CHOICE:
            return Prediction(label=read_choice(chosen_text(reply.text, self._way.constraint), words), **said)
        named = parse_letter(reply.text, question.choices) if question.choices else parse_reply(reply.text, words)
        return Prediction(label=named, **said)

    def _account(self) -> None:
        """What answers have taken so far, for the record."""
        answers = [one.replies for one in self._answered.values()]
        self.facts.notes |= usage_notes(answers, self._desk, self._workplace.access)
