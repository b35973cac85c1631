"""What answers of a server have taken: time as it would be without keeping them, tokens and money for the record."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from beatingbert.engines.protocol import Access
from beatingbert.engines.served.client import Reply
from beatingbert.engines.served.desk import Desk


def seconds_together(answers: Sequence[Sequence[Reply]]) -> float:
    """The time that requests were on their way, divided by how many were so at once.

    That holds whether answers came now or have been kept. Those that were asked alone, to measure latency, tell
    nothing of it and take the others' mean.

    Args:
        answers: the replies that each was made of, at least one.
    """
    taken = [
        (sum(one.seconds / one.company for one in replies), max(one.company for one in replies)) for replies in answers
    ]
    together = [seconds for seconds, company in taken if company > 1] or [seconds for seconds, _ in taken]
    return sum(together) / len(together) * len(taken)


def usage_notes(answers: Sequence[Sequence[Reply]], desk: Desk, access: Access) -> dict[str, Any]:
    """Notes for the record.

    Args:
        answers: the replies that each was made of.
        desk: that has sent them.
        access: concurrency and prices.
    """
    replies = [reply for several in answers for reply in several]
    known = [reply for reply in replies if reply.input_tokens is not None and reply.output_tokens is not None]
    notes: dict[str, Any] = {}
    if replies and len(known) == len(replies):
        notes["usage"] = {
            "input_tokens": sum(reply.input_tokens or 0 for reply in known),
            "output_tokens": sum(reply.output_tokens or 0 for reply in known),
            "answers": len(answers),
        }
    notes["requests"] = {"sent": desk.budget.sent, "kept_from_earlier_runs": desk.kept}
    notes["concurrency"] = access.concurrency
    if desk.budget.spent is not None:
        notes["cost"] = {"spent": desk.budget.spent, "price_in": access.price_in, "price_out": access.price_out}
    return notes
