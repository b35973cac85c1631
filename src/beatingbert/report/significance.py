"""Claims in words and tables: what may be said of who beats whom, never more than the numbers carry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import zip_longest
from pathlib import Path

from beatingbert.report.comparisons import AGAINST, ALL_PAIRS, LEVEL, Comparison, Contest, Decisive
from beatingbert.report.contenders import Side
from beatingbert.report.overlap import Overlap
from beatingbert.report.scattered import describe_scattered
from beatingbert.report.text import escape_markdown, in_points, markdown_table, p_value, points
from beatingbert.runs.files import write_csv
from beatingbert.statistics.verdict import Verdict, overall
from beatingbert.tasks.catalog import TASKS

SIDE_NAMES = {Side.LLM: "LLMs", Side.ENCODER: "Encoders", Side.BASELINE: "Baselines"}
MARKS = {"first ahead": "▲", "second ahead": "▼", "practically equal": "≈", "cannot tell": "?"}
MIRRORED = {"first ahead": "second ahead", "second ahead": "first ahead"}
OVERALL = {
    "first ahead": "LLMs are ahead on some task and nowhere behind.",
    "second ahead": "Encoders are ahead on some task and nowhere behind.",
    "practically equal": "LLMs and encoders are practically equal on every task.",
    "depends on the task": "It depends on the task: LLMs are ahead on some, encoders on others.",
    "cannot tell": "These runs cannot tell whether LLMs or encoders are ahead.",
}
LEGEND = """\
Verdict, against the most accurate of the other side (of the LLMs for an encoder, of the encoders for an LLM), corrected
for all pairs of the table: ▲ ahead, ▼ behind, ≈ practically equal, ? cannot tell, - nobody to be held against.
`significance.md` has the numbers.
"""


def marks(contests: Sequence[Contest]) -> dict[tuple[str, str], str]:
    """(fingerprint of the group, contender's id) to the mark of its verdict against the best of the other side."""
    found: dict[tuple[str, str], str] = {}
    for contest in contests:
        for one in contest.comparisons:
            if (one.first.side, one.second.side) != AGAINST[0]:
                continue
            # The most accurate come first, so what stands already was against the best.
            kind = one.verdict.kind
            found.setdefault((contest.group.fingerprint, one.first.id), MARKS[kind])
            found.setdefault((contest.group.fingerprint, one.second.id), MARKS[MIRRORED.get(kind, kind)])
    return found


def sentence(first: str, second: str, verdict: Verdict, *, claims: int = 1) -> str:
    """What a verdict says of two, whoever leads named first.

    Args:
        first: its name, as it is.
        second: the other's.
        verdict: on these two, in this order.
        claims: how many comparisons it has been corrected for.
    """
    gap, low, high = verdict.gap.value, verdict.gap.low, verdict.gap.high
    if gap < 0:
        first, second = second, first
        gap, low, high = -gap, -high, -low
    told = f"{100 * LEVEL:.0f} % interval {points(low)} to {points(high)}, {p_value(verdict.p_value)}"
    told += f"; both corrected for {claims:,} comparisons" if claims > 1 else ""
    if verdict.kind in ("first ahead", "second ahead"):
        return f"{first} leads {second} by {100 * gap:.1f} points ({told})."
    if verdict.kind == "practically equal":
        limit = f"within {in_points(verdict.margin)} of each other"
        real = "a difference there is, but too small to matter" if verdict.significant else told
        return f"{first} and {second} are practically equal, {limit}: {points(gap)} points ({real})."
    more = f"; about {verdict.rows_needed:,} rows would probably settle it" if verdict.rows_needed else ""
    return f"No difference can be claimed between {first} and {second}: {points(gap)} points ({told}){more}."


def group_sentence(contest: Contest) -> str | None:
    """The verdict on LLMs and encoders for one set of rows; None where a side is missing."""
    if contest.decisive is None:
        return None
    one = contest.decisive
    return sentence(one.llm.name, one.encoder.name, one.verdict, claims=one.claims)


def overall_sentence(contests: Sequence[Contest]) -> str | None:
    """The verdict over all tasks, each by the most rows that both sides answered; None with fewer than two."""
    largest: dict[tuple[str, str], tuple[int, Decisive]] = {}
    for contest in contests:
        place = (contest.group.task, contest.group.split)
        if contest.decisive and contest.group.rows > largest.get(place, (0, None))[0]:
            largest[place] = (contest.group.rows, contest.decisive)
    if len(largest) < 2:
        return None
    return OVERALL[overall(decisive.verdict for _, decisive in largest.values())]


def significance_page(contests: Sequence[Contest], overlaps: Sequence[Overlap] = ()) -> str:
    """Every claim with its numbers, in Markdown.

    Args:
        contests: one per group.
        overlaps: how the contenders of each err together, in the same order; none where that is not to be told.
    """
    margins = {in_points(one.verdict.margin) for contest in contests for one in contest.comparisons}
    parts = ["# Significance\n", _METHOD.format(margin=" or ".join(sorted(margins)) or "the margin")]
    summary = [f"- {_title(one)}: {escape_markdown(told)}" for one in contests if (told := group_sentence(one))]
    together = overall_sentence(contests)
    if summary:
        parts += ["## LLMs or encoders?\n", *summary, ""]
        parts += [f"Over all: {together}\n"] if together else []
    else:
        parts.append("No rows were answered by both an LLM and an encoder, so no side can be held against the other.\n")
    apart = [f"- {escape_markdown(told)}" for told in describe_scattered([one.group for one in contests])]
    parts += ["Seeds that are not joined:\n", *apart, ""] if apart else []
    for contest, overlap in zip_longest(contests, overlaps):
        parts += _section(contest, overlap)
    return "\n".join(parts)


_METHOD = """\
Only contenders that answered the same rows are held against each other. A gap is the accuracy of the first minus that
of the second, in points. Its p-value is the exact McNemar test's, corrected by Holm for all pairs of the section, and
its interval is Tango's score interval at 95 %, widened by Bonferroni for as many: all intervals of a section hold at
once. Where a contender has several seeds, test and interval are of the mean accuracies and answer for the scatter of
the seeds, too. LLMs as a side are ahead of encoders if one of them beats every encoder. "Practically equal" is shown to
differ by less than {margin}; "cannot tell" is neither a difference nor equality.
"""


def _title(contest: Contest) -> str:
    group = contest.group
    name = TASKS[group.task].title if group.task in TASKS else group.task
    split = f" ({group.split})" if group.title != group.task else ""
    return escape_markdown(f"{name}{split}, {group.rows:,} rows")


def _section(contest: Contest, overlap: Overlap | None) -> list[str]:
    group = contest.group
    parts = [f"## {_title(contest)}\n"]
    parts.append(f"Data {escape_markdown(group.revision[:12])}, rows {group.fingerprint}.\n")
    told = group_sentence(contest)
    parts += [f"**{escape_markdown(told)}**\n"] if told else []
    if contest.omnibus:
        runs = contest.omnibus.degrees + 1
        differ = "The runs differ" if contest.omnibus.p_value < 1 - LEVEL else "The runs cannot be told to differ"
        parts.append(
            f"{differ}: Cochran's Q = {contest.omnibus.statistic:.1f} over {runs} runs, "
            f"{p_value(contest.omnibus.p_value)}.\n"
        )
    if contest.smallest_gap is not None:
        parts.append(
            f"With {group.rows:,} rows a measured gap under {100 * contest.smallest_gap:.1f} points cannot be told "
            "from chance, even for a single pair.\n"
        )
    if overlap is not None and overlap.oracle is not None:
        parts.append(f"{escape_markdown(overlap.sentence())}\n")
    if not contest.comparisons:
        return [*parts, "There is nobody of another side to be held against.\n"]
    if not contest.is_complete:
        parts.append(
            f"There are {contest.family:,} pairs. Of more than {ALL_PAIRS} only those are judged that hold a contender "
            "against the most accurate of another side; corrected is for all pairs nevertheless.\n"
        )
    columns = ("first", "second", "gap", "95 % interval", "only first / only second right", "p alone", "p corrected")
    for sides in AGAINST:
        rows = [_row(one) for one in contest.comparisons if (one.first.side, one.second.side) == sides]
        if rows:
            ours, theirs = (SIDE_NAMES[side] for side in sides)
            parts += [f"### {ours} against {theirs.lower()}\n", markdown_table((*columns, "verdict"), rows, left=2)]
    return parts


def _row(one: Comparison) -> list[str]:
    gap = one.verdict.gap
    more = f", {one.verdict.rows_needed:,} rows might" if one.verdict.rows_needed else ""
    return [
        one.first.name,
        one.second.name,
        points(gap.value),
        f"{points(gap.low)} to {points(gap.high)}",
        f"{one.only_first:g} / {one.only_second:g}",
        p_value(one.alone).removeprefix("p ").removeprefix("= "),
        p_value(one.verdict.p_value).removeprefix("p ").removeprefix("= "),
        f"{one.verdict.kind}{more}",
    ]


def write_significance_csv(path: Path, contests: Sequence[Contest]) -> None:
    """Every comparison as plain values: gaps as fractions, one row each."""
    write_csv(path, [[*CSV_COLUMNS], *([row[name] for name in CSV_COLUMNS] for row in _plain(contests))])


CSV_COLUMNS = (
    *("task", "split", "rows", "rows_fingerprint", "data_revision", "first", "second", "first_side", "second_side"),
    *(
        "first_id",
        "second_id",
        "first_seeds",
        "second_seeds",
        "gap",
        "gap_low",
        "gap_high",
        "only_first",
        "only_second",
    ),
    *("p_alone", "p_corrected", "pairs_corrected_for", "margin", "verdict", "rows_needed"),
)


def _plain(contests: Sequence[Contest]) -> list[Mapping[str, object]]:
    return [
        {
            "task": contest.group.task,
            "split": contest.group.split,
            "rows": contest.group.rows,
            "rows_fingerprint": contest.group.fingerprint,
            "data_revision": contest.group.revision,
            "first": one.first.name,
            "second": one.second.name,
            "first_side": str(one.first.side),
            "second_side": str(one.second.side),
            "first_id": one.first.id,
            "second_id": one.second.id,
            "first_seeds": len(one.first.records),
            "second_seeds": len(one.second.records),
            "gap": one.verdict.gap.value,
            "gap_low": one.verdict.gap.low,
            "gap_high": one.verdict.gap.high,
            "only_first": one.only_first,
            "only_second": one.only_second,
            "p_alone": one.alone,
            "p_corrected": one.verdict.p_value,
            "pairs_corrected_for": contest.family,
            "margin": one.verdict.margin,
            "verdict": one.verdict.kind,
            "rows_needed": one.verdict.rows_needed or "",
        }
        for contest in contests
        for one in contest.comparisons
    ]
