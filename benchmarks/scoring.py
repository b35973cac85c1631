"""Label scoring against every peer: ours and the others in turn, on the same prompts, held against each other."""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from transformers import AutoConfig

from beatingbert.checkpoints.device import set_threads
from beatingbert.checkpoints.reference import resolve
from beatingbert.cli.console import quiet_libraries
from benchmarks import generation, harness, llamacpp, vllm
from benchmarks.answers import Answers, Material, Peer, PeerFactory, agreement, largest_difference
from benchmarks.material import Place, prepare
from benchmarks.ours import Ours, forget, load_model, load_tokenizer, quicken
from benchmarks.work import EXACT, Figure, Work

PEERS: dict[str, PeerFactory] = {"harness": harness, "generation": generation, "llama.cpp": llamacpp, "vllm": vllm}
ROUNDS = 3  # of ours; the peer takes minutes where ours takes seconds, so it runs once, between them
Tell = Callable[[str], None]


def bench_scoring(works: Sequence[Work], place: Place, tell: Tell) -> Iterator[Figure]:
    """One figure per piece of work and precision; a peer that is not here is told and left out."""
    absent = {kind: why for kind, factory in PEERS.items() if (why := factory.missing())}
    for kind in sorted({work.peer for work in works} & absent.keys()):
        tell(f"left out: {absent[kind]}")
    present = [work for work in works if work.peer not in absent]
    for reference, group in itertools.groupby(present, key=lambda work: work.checkpoint):
        shelf = Shelf(reference, resolve(reference).path, place.device)
        for work in group:
            tell(f"{work.name}, against {work.peer}")
            yield from compare(work, prepare(work, place, shelf.tokenizer, shelf.model_type), shelf)
        shelf.close()
        del shelf
        forget()


_opened: dict[tuple[str, Path], Peer] = {}  # of a peer's own process


def answer_there(kind: str, reference: str, folder: Path, device: str, material: Material) -> tuple[str, Answers]:
    """In a peer's own process: its name and its answers; it is loaded once."""
    if (kind, folder) not in _opened:
        quiet_libraries()
        set_threads()
        _opened[kind, folder] = PEERS[kind].open(reference, folder, device)
    peer = _opened[kind, folder]
    return peer.name, peer.answer(material)


class Shelf:
    """What is loaded of one checkpoint, each precision and peer once; dropped as a whole.

    Peers run in processes of their own, so that nothing that we set for ourselves reaches them.

    Args:
        reference: the checkpoint as a user names it.
        folder: where it lies.
        device: where to compute.
    """

    def __init__(self, reference: str, folder: Path, device: str) -> None:
        self._reference, self._folder, self._device = reference, folder, device
        self._models: dict[str, Any] = {}
        self._rooms: dict[str, ProcessPoolExecutor] = {}
        self.tokenizer = load_tokenizer(folder)
        self.model_type = str(AutoConfig.from_pretrained(folder).model_type)

    def model(self, precision: str) -> Any:
        """Our model."""
        if precision not in self._models:
            self._models[precision] = quicken(load_model(self._folder, precision, self._device))
        return self._models[precision]

    def ask_peer(self, kind: str, material: Material) -> tuple[str, Answers]:
        """The other contestant's name and answers."""
        if kind not in self._rooms:
            self._rooms[kind] = ProcessPoolExecutor(max_workers=1, mp_context=get_context("spawn"))
        asked = self._rooms[kind].submit(answer_there, kind, self._reference, self._folder, self._device, material)
        return asked.result()

    def close(self) -> None:
        """Send the peers home."""
        for room in self._rooms.values():
            room.shutdown()


def compare(work: Work, material: Material, shelf: Shelf) -> list[Figure]:
    """Run ours and the peer in turn; ours in fp32 too where exactness can be checked."""
    precisions = sorted({"fp32", *work.targets}, reverse=True) if work.peer == "harness" else list(work.targets)
    ours = {name: Ours(shelf.model(name), shelf.tokenizer, material) for name in precisions}
    rounds = {name: [one.answer()] for name, one in ours.items()}
    name_of_peer, theirs = shelf.ask_peer(work.peer, material)
    for _ in range(ROUNDS - 1):
        for name, one in ours.items():
            rounds[name].append(one.answer())
    exact = rounds["fp32"][0] if work.peer == "harness" else None
    name = f"{name_of_peer}, {theirs.how}" if theirs.how else name_of_peer
    return [weigh(Contest(work, precision, rounds[precision], theirs, name), exact) for precision in work.targets]


def doubts(exact: Answers, theirs: Answers) -> list[str]:
    """Why a speed ratio would compare different things: in fp32 both must give the same answers."""
    found = []
    share = agreement(exact.labels, theirs.labels)
    if share < 1:
        found.append(f"no ratio: in fp32 only {100 * share:.1f} % of the answers are the same")
    worst = difference(exact, theirs)
    if worst is not None and not worst < EXACT:
        found.append(f"no ratio: in fp32 log-likelihoods differ by up to {worst:.2g} nats")
    return found


def difference(one: Answers, other: Answers) -> float | None:
    """The largest difference of their log-likelihoods in nats; None where one has none, or one is not finite."""
    if one.log_likelihoods is None or other.log_likelihoods is None:
        return None
    worst = largest_difference(one.log_likelihoods, other.log_likelihoods)
    return worst if math.isfinite(worst) else None


@dataclass(frozen=True, slots=True)
class Contest:
    """Both sides' answers to one piece of work, ours in one precision and several rounds."""

    work: Work
    precision: str
    ours: Sequence[Answers]
    theirs: Answers
    peer_name: str


def weigh(contest: Contest, exact: Answers | None) -> Figure:
    """The figure of one contest: median time of ours against the peer's.

    Args:
        contest: what was measured.
        exact: our answers in fp32, which must be the peer's; None where it answers in another way or with other
            weights, so that only the share of equal answers can be told.
    """
    ours, theirs = contest.ours[0], contest.theirs
    rows, seconds = len(ours.labels), statistics.median(one.seconds for one in contest.ours)
    notes = [] if exact is None else doubts(exact, theirs)
    ratio = None if notes else theirs.seconds / seconds
    rounding = difference(ours, theirs)
    if exact is not None and contest.precision != "fp32" and rounding is not None:
        notes.append(f"{contest.precision} moves log-likelihoods by up to {rounding:.2g} nats")
    return Figure(
        work=f"{contest.work.name}, {contest.precision}",
        ours=rows / seconds,
        peer=rows / theirs.seconds,
        unit="questions/s",
        ratio=ratio,
        target=contest.work.targets[contest.precision],
        agreement=agreement(ours.labels, theirs.labels),
        peer_name=contest.peer_name,
        rows=rows,
        largest_difference=difference(exact or ours, theirs),
        note="; ".join(notes),
    )
