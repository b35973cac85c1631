"""What a served model must know before it sees data. Imports no client and touches no network."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from beatingbert.errors import SettingsError
from beatingbert.tasks.spec import Shape, Task

OLLAMA, OPENAI = "ollama", "openai"
DEFAULT_URLS = {OLLAMA: "http://127.0.0.1:11434", OPENAI: "https://api.openai.com/v1"}
URL_VARIABLES = {OLLAMA: "OLLAMA_HOST", OPENAI: "OPENAI_BASE_URL"}
ANSWER_BY = ("auto", "likelihood", "generation")
CHAT_TEMPLATE = ("auto", "always", "never")

VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedSettings:
    """Settings of one way of asking one server's model.

    Attributes:
        model: `ollama/NAME` or `openai/NAME`, the latter for every server that speaks OpenAI's protocol.
        base_url: where the server is. It is part of what is asked, for the same name may mean another model elsewhere.
        shots: demonstrations before each question; 0 is zero-shot.
        answer_by: "likelihood" insists on label probabilities from the server's token log-probabilities; "generation"
            reads what the model writes; "auto" takes the best that the server offers, and the record says what it was.
        temperature: 0 writes greedily, more samples; only for generation.
        constrained: insist that the server lets the model write nothing but a label; only for generation.
        max_new_tokens: longest written reply.
        max_length: tokens of prompt and answer together that Ollama is to make room for; other servers have their own.
        chat_template: "always" sends turns, for the server to put into the model's chat format, "never" sends one
            running text, "auto" sends turns where the server takes them.
    """

    model: str
    base_url: str
    shots: int = 0
    answer_by: str = "auto"
    temperature: float = 0.0
    constrained: bool = False
    max_new_tokens: int = 10
    max_length: int = 2048
    chat_template: str = "auto"

    def __post_init__(self) -> None:
        split_reference(self.model)
        if self.base_url != checked_url(self.base_url):
            raise SettingsError(f"base_url {self.base_url!r} should be written {checked_url(self.base_url)!r}")
        if self.shots < 0:
            raise SettingsError(f"num_few_shot must not be negative, got {self.shots}")
        if self.max_new_tokens < 1:
            raise SettingsError(f"max_new_tokens must be at least 1, got {self.max_new_tokens}")
        if self.max_length < 16:
            raise SettingsError(f"max_length must be at least 16 tokens, got {self.max_length}")
        if self.temperature < 0:
            raise SettingsError(f"temperature must not be negative, got {self.temperature}")
        if self.answer_by not in ANSWER_BY:
            raise SettingsError(f"answer_by must be one of {', '.join(ANSWER_BY)}, got {self.answer_by!r}")
        if self.chat_template not in CHAT_TEMPLATE:
            raise SettingsError(f"chat_template must be one of {', '.join(CHAT_TEMPLATE)}, got {self.chat_template!r}")
        if self.answer_by == "likelihood" and (self.temperature > 0 or self.constrained):
            raise SettingsError(
                "temperature and constrained are about what is written, but answers come by likelihood; leave them "
                "out, or use --answer_by generation"
            )


def is_served(reference: str) -> bool:
    """Whether a model's reference names one behind a server."""
    return reference.startswith((f"{OLLAMA}/", f"{OPENAI}/"))


def split_reference(reference: str) -> tuple[str, str]:
    """`ollama/qwen2:0.5b` as ("ollama", "qwen2:0.5b"); a name may have slashes of its own.

    Raises:
        SettingsError: it is no such reference.
    """
    kind, _, name = reference.partition("/")
    if not is_served(reference) or not name.strip():
        raise SettingsError(
            f"{reference!r} names no served model; expected ollama/NAME (e.g. ollama/qwen2:0.5b) or openai/NAME"
        )
    return kind, name


def checked_url(url: str) -> str:
    """The address as it is used and recorded, without a slash at its end.

    Raises:
        SettingsError: it is no http address, or has parts that could hold a secret. What it holds is then not shown.
    """
    try:
        parts = urlsplit(url.strip())
        readable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        readable, parts = False, urlsplit("")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise SettingsError(
            "--base_url must be an address alone, without user, password or parameters, because it is recorded; a key "
            "goes into an environment variable whose name is given with --api_key_env"
        )
    if not readable:
        raise SettingsError(f"--base_url must begin with http:// or https:// and name a host, got {url!r}")
    return url.strip().rstrip("/")


def ollama_url(host: str) -> str:
    """What `OLLAMA_HOST` means for a client: a bare host has Ollama's port, and 0.0.0.0 is this machine."""
    if "://" not in host:
        host = f"http://{host}" if urlsplit(f"http://{host}").port else f"http://{host}:11434"
    return host.replace("//0.0.0.0", "//127.0.0.1")


def refuse_endings(task: Task, choice_by: str) -> None:
    """Servers do not score a given text, so multiple choice is asked by letter.

    Raises:
        SettingsError: it is to be asked by ending.
    """
    if task.shape is Shape.CHOICE and choice_by == "ending":
        raise SettingsError(
            "choice_by 'ending' scores texts that the model did not write, which servers do not offer; leave it out, "
            "so that choices are asked by letter"
        )
