"""Names that say what a column holds, as people give them; one table, to be read from top to bottom."""

from __future__ import annotations

import re

TEXT = (
    *("text", "sentence", "message", "review", "review text", "content", "body", "comment", "tweet", "utterance"),
    *("query", "question", "sms", "document", "description", "post", "article", "abstract", "email", "mail", "title"),
    *("headline", "summary", "feedback", "request", "ticket", "prompt", "input", "transcript", "phrase", "statement"),
)
LABEL = (
    *("label", "labels", "class", "category", "target", "intent", "sentiment", "gold", "y", "tag", "topic", "answer"),
    *("label text", "label name", "class name", "category name", "polarity", "emotion", "rating", "stars", "score"),
    *("is spam", "spam", "toxic", "priority", "department", "type", "recommended", "status", "output"),
)
PAIRS = (
    *(("premise", "hypothesis"), ("sentence1", "sentence2"), ("question1", "question2"), ("text1", "text2")),
    *(("text a", "text b"), ("text", "text pair"), ("question", "passage"), ("question", "context")),
    *(("question", "sentence"), ("query", "document"), ("query", "passage"), ("claim", "evidence")),
)
GROUP = ("group", "user", "user id", "author", "customer", "customer id", "session", "product", "patient", "speaker")
SPLITS = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("validation", "valid", "val", "dev", "development"), "validation"),
    **dict.fromkeys(("test", "testing", "eval", "holdout"), "test"),
}


def plain(name: str) -> str:
    """A column's name without case, underscores and the like: 'Review_Text' and 'review text' are one."""
    return " ".join(re.findall(r"[^\W_]+", name.casefold()))


def rank(name: str, known: tuple[str, ...]) -> int | None:
    """Where a column stands in one of the tables: exactly by its name first, then by a word of it; None for neither."""
    bare = plain(name)
    if bare in known:
        return known.index(bare)
    words = [known.index(word) for word in bare.split() if word in known]
    return len(known) + min(words) if words else None


def is_known_name(name: str) -> bool:
    """Whether a cell is one of the names of the tables, so that it heads a column."""
    bare = plain(name)
    return bare != "" and bare not in ("spam", "y", "answer") and bare in {*TEXT, *LABEL, *GROUP, *sum(PAIRS, ())}


def split_of(file_name: str) -> str | None:
    """Which split a file's name says it holds: 'TREC.train' and 'train-00000.csv' hold train."""
    words = re.findall(r"[a-z]+", file_name.casefold())
    found = {SPLITS[word] for word in words if word in SPLITS}
    return found.pop() if len(found) == 1 else None


def field_name(column: str, taken: str = "") -> str:
    """A column's name as a prompt file can hold it in braces: letters, digits and underscores only."""
    name = re.sub(r"\W+", "_", column).strip("_") or "text"
    name = f"text_{name}" if name[0].isdigit() else name
    return f"{name}_2" if name == taken else name


def in_words(name: str) -> str:
    """A label or a column as a reader says it: 'card_arrival' is 'card arrival', 'cardArrival' stays."""
    return " ".join(name.replace("_", " ").split()) or name


def is_number(text: str) -> bool:
    """Whether Python reads it as a number."""
    try:
        float(text)
    except ValueError:
        return False
    return True
