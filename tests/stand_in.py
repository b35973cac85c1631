"""An honest stand-in for a model's server, on loopback: real sockets, the documented protocols, a rule for a model.

It speaks OpenAI's protocol and Ollama's. The rule: who reads "great" in the last question says "positive", "yes" or the
letter of the choice that has it; else "negative", "no" or "A". Faults come in the order of a script, one per request.
"""

from __future__ import annotations

import itertools
import json
import math
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

SURE, OTHERWISE, STRANGE = 0.8, 0.15, 0.04  # probabilities of the answer, of another, and of " The"


@dataclass(frozen=True)
class Fault:
    """What goes wrong with one request: a status with headers, or one of "hang", "cut" and "garbage"."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    kind: str = ""
    says: str = "out of order"


@dataclass(kw_only=True)
class StandIn:
    """What the server offers, what goes wrong, and what it was asked.

    Attributes:
        names: of its models; None where it does not list them.
        owner: whom it names as their owner.
        logprobs: whether it tells log-probabilities of what is written.
        choices: the field in which it takes the texts that may be written; "" for none, so that it is ignored.
        echoes: whether completions may be echoed with log-probabilities.
        repeats: whether it answers with the turn that it has gone on with as well, as llama.cpp does.
        scores: what it has for the tokens of an echoed text, e.g. those of a real model; by the rule where it is None.
        refuses: fields that it answers with 422, as `transformers serve` does.
        key: that it wants.
        counts: whether it tells how many tokens it has read and written.
        prefix: what it says before its answer.
        characters_per_token: by which it counts.
        faults: that come first, one per request for an answer.
        dies_after: requests for an answer after which all others fail; None for never.
        seconds: that an answer takes.
        context: characters that a prompt may have; None for any.
        pullable: models that Ollama could fetch.
    """

    names: list[str] | None = field(default_factory=lambda: ["tiny"])
    owner: str = "somebody"
    logprobs: bool = True
    choices: str = ""
    echoes: bool = False
    repeats: bool = False
    scores: Callable[[str], list[tuple[str, float]]] | None = None
    refuses: tuple[str, ...] = ()
    key: str = ""
    counts: bool = True
    prefix: str = ""
    characters_per_token: float = 20.0
    faults: list[Fault] = field(default_factory=list)
    dies_after: int | None = None
    seconds: float = 0.0
    context: int | None = None
    pullable: tuple[str, ...] = ()
    url: str = ""
    asked: list[dict[str, Any]] = field(default_factory=list)
    arrivals: list[float] = field(default_factory=list)
    answered: int = 0
    at_once: int = 0
    most_at_once: int = 0
    lock: Any = field(default_factory=threading.Lock)
    over: threading.Event = field(default_factory=threading.Event)

    @property
    def openai_url(self) -> str:
        return f"{self.url}/v1"

    @property
    def prompts(self) -> list[str]:
        """What was asked, the last turn of each."""
        return [prompt_of(body) for body in self.asked]


@contextmanager
def serving(stand_in: StandIn) -> Iterator[StandIn]:
    """The server while the block runs."""

    class Handler(_Handler):
        place = stand_in

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    stand_in.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield stand_in
    finally:
        stand_in.over.set()
        server.shutdown()
        thread.join()
        server.server_close()


def prompt_of(body: dict[str, Any]) -> str:
    """The text of the last question, for a conversation or a running text."""
    if "messages" in body:
        return next(turn["content"] for turn in reversed(body["messages"]) if turn["role"] == "user")
    return str(body["prompt"]).rsplit("\n\n", 1)[-1]


def answer_to(question: str) -> tuple[str, str]:
    """What the rule says, and what it might have said."""
    listed = re.findall(r"^([A-Z])\. (.*)$", question, flags=re.MULTILINE)
    if listed:
        right = next((letter for letter, choice in listed if "great" in choice), "A")
        return right, "B" if right == "A" else "A"
    yes, no = ("yes", "no") if "yes or no" in question or "sat" in question else ("positive", "negative")
    return (yes, no) if "great" in question else (no, yes)


def score_by_rule(text: str) -> list[tuple[str, float]]:
    """Two tokens of an echoed text, the last word by the rule, with their log-probabilities."""
    start, word = text.rsplit(" ", 1)
    likely, _ = answer_to(start.rsplit("\n\n", 1)[-1])
    return [(start, 0.0), (f" {word}", math.log(SURE if word == likely else OTHERWISE))]


class _Handler(BaseHTTPRequestHandler):
    place: StandIn
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else each answer waits 40 ms for the other side's acknowledgement

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        place = self.place
        if self._wants_key():
            return
        if self.path == "/v1/models" and place.names is not None:
            listed = [{"id": name, "object": "model", "created": 1, "owned_by": place.owner} for name in place.names]
            self._send({"object": "list", "data": listed})
        elif self.path == "/api/tags":
            self._send({"models": [{"model": name, "digest": "ab" * 32, "size": 352_000_000} for name in place.names]})
        else:
            self._send({"error": {"message": "no such path"}}, status=404)

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self._wants_key():
            return
        if self.path == "/api/show":
            self._send(
                {"details": {"quantization_level": "Q4_0"}, "model_info": {"general.parameter_count": 494_032_768}}
            )
        elif self.path == "/api/pull":
            self._pull(body["model"])
        else:
            self._answer(body)

    def _answer(self, body: dict[str, Any]) -> None:
        place = self.place
        with place.lock:
            place.asked.append(body)
            place.arrivals.append(time.monotonic())
            place.at_once += 1
            place.most_at_once = max(place.most_at_once, place.at_once)
            fault = place.faults.pop(0) if place.faults else None
            if place.dies_after is not None and place.answered >= place.dies_after:
                fault = Fault(kind="cut")
        try:
            if fault is None:
                fault = self._refusal(body)
            if fault is None:
                time.sleep(place.seconds)
                self._send(
                    {"/api/chat": self._ollama, "/api/generate": self._ollama}.get(self.path, self._openai)(body)
                )
                with place.lock:
                    place.answered += 1
            else:
                self._fail(fault)
        finally:
            with place.lock:
                place.at_once -= 1

    def _refusal(self, body: dict[str, Any]) -> Fault | None:
        place = self.place
        refused = [name for name in place.refuses if name in body]
        if refused:
            return Fault(422, says=f"unsupported fields: {refused}")
        if place.names is not None and body["model"] not in place.names:
            return Fault(404, says=f"the model {body['model']!r} does not exist")
        if place.context is not None and len(json.dumps(body)) > place.context:
            return Fault(400, says="this model's maximum context length is 10 tokens")
        return None

    def _fail(self, fault: Fault) -> None:
        if fault.kind == "hang":
            self.place.over.wait(30)
            self.close_connection = True
        elif fault.kind == "cut":
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b'{"id": "half of')
            self.close_connection = True
        elif fault.kind == "garbage":
            self._send_bytes(b"<html>login</html>", 200, {"Content-Type": "application/json"})
        else:
            error: Any = fault.says if self.path.startswith("/api/") else {"message": fault.says}
            self._send({"error": error}, status=fault.status, headers=fault.headers)

    def _said(self, body: dict[str, Any]) -> tuple[str, list[tuple[str, float]]]:
        """What is written, and the likeliest first tokens."""
        likely, other = answer_to(prompt_of(body))
        wanted = self._choices(body)
        if wanted:
            words = {choice.strip(): choice for choice in wanted}
            likely = words.get(likely, wanted[0])
        first = f"{self.place.prefix}{likely}"
        probabilities = [(first, SURE), (other, OTHERWISE), (" The", STRANGE)]
        return first, [(text, math.log(value)) for text, value in probabilities]

    def _choices(self, body: dict[str, Any]) -> list[str]:
        field_name = self.place.choices
        told = body.get(field_name) if field_name else None
        if told is None:
            return []
        if field_name == "structured_outputs":
            return list(told["choice"])
        if field_name == "guided_choice":
            return list(told)
        if field_name == "grammar":
            return [json.loads(text) for text in told.removeprefix("root ::= ").split(" | ")]
        schema = told["json_schema"]["schema"] if field_name == "response_format" else told
        return list(schema["properties"]["label"]["enum"])

    def _text(self, body: dict[str, Any], said: str) -> str:
        in_json = self.place.choices in ("response_format", "format") and self._choices(body)
        return json.dumps({"label": said}) if in_json else said

    def _read(self, body: dict[str, Any]) -> int:
        return 1 + int(len(json.dumps(body.get("messages") or body["prompt"])) / self.place.characters_per_token)

    def _openai(self, body: dict[str, Any]) -> dict[str, Any]:
        place = self.place
        said, likeliest = self._said(body)
        text, read = self._text(body, said), self._read(body)
        choice: dict[str, Any] = {"index": 0, "finish_reason": "stop", "logprobs": None}
        if "messages" in body:
            last = body["messages"][-1]
            begun = last["content"] if place.repeats and last["role"] == "assistant" else ""
            choice["message"] = {"role": "assistant", "content": begun + text}
            if place.logprobs and body.get("logprobs"):
                tops = [{"token": one, "logprob": value, "bytes": None} for one, value in likeliest]
                choice["logprobs"] = {"content": [{**tops[0], "top_logprobs": tops[: body["top_logprobs"]]}]}
        else:
            choice["text"] = text
            if body.get("echo") and place.echoes:
                texts, values = zip(*(place.scores or score_by_rule)(body["prompt"]), strict=True)
                read = len(texts)
                choice["logprobs"] = {
                    "tokens": [*texts, " and"],
                    "token_logprobs": [None, *values[1:], -9.0],
                    "top_logprobs": None,
                    "text_offset": list(itertools.accumulate(map(len, texts), initial=0)),
                }
            elif place.logprobs and body.get("logprobs"):
                choice["logprobs"] = {
                    "tokens": [said],
                    "token_logprobs": [likeliest[0][1]],
                    "top_logprobs": [dict(likeliest)],
                    "text_offset": [0],
                }
        usage = {"prompt_tokens": read, "completion_tokens": 1, "total_tokens": read + 1} if place.counts else None
        kind = "chat.completion" if "messages" in body else "text_completion"
        return {"id": "1", "object": kind, "created": 1, "model": body["model"], "choices": [choice], "usage": usage}

    def _ollama(self, body: dict[str, Any]) -> dict[str, Any]:
        said, likeliest = self._said(body)
        answer: dict[str, Any] = {"model": body["model"], "done": True, "done_reason": "stop"}
        if self.place.counts:
            answer |= {"prompt_eval_count": self._read(body), "eval_count": 1}
        if self.place.logprobs and body.get("logprobs"):
            tops = [{"token": one, "logprob": value} for one, value in likeliest]
            answer["logprobs"] = [{**tops[0], "top_logprobs": tops[: body["top_logprobs"]]}]
        text = self._text(body, said)
        return answer | (
            {"message": {"role": "assistant", "content": text}} if "messages" in body else {"response": text}
        )

    def _pull(self, name: str) -> None:
        if name not in self.place.pullable:
            self._send({"error": "pull model manifest: file does not exist"}, status=500)
            return
        assert self.place.names is not None
        self.place.names.append(name)
        steps = [
            {"status": "pulling", "total": 10, "completed": 4},
            {"status": "pulling", "total": 10, "completed": 10},
        ]
        lines = [json.dumps(step) for step in (*steps, {"status": "success"})]
        self._send_bytes("\n".join(lines).encode(), 200, {"Content-Type": "application/x-ndjson"})

    def _wants_key(self) -> bool:
        place = self.place
        if not place.key or self.headers.get("Authorization") == f"Bearer {place.key}":
            return False
        # Some servers repeat what they were given.
        given = self.headers.get("Authorization", "")
        self._send({"error": {"message": f"incorrect key provided: {given}"}}, status=401)
        return True

    def _send(self, data: Any, *, status: int = 200, headers: dict[str, str] | None = None) -> None:
        self._send_bytes(json.dumps(data).encode(), status, {"Content-Type": "application/json", **(headers or {})})

    def _send_bytes(self, data: bytes, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
