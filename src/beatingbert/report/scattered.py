"""Contenders that fall apart because their seeds answered different rows: a reader should know why."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from beatingbert.report.frame import Group


def describe_scattered(groups: Sequence[Group]) -> list[str]:
    """A sentence per task and split on which seeds of one contender stand in different groups."""
    places: dict[tuple[str, str, str], dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    titles: dict[tuple[str, str, str], str] = {}
    drawn: dict[tuple[str, str, str], bool] = defaultdict(bool)
    for group in groups:
        key = (group.task, group.split, group.revision)
        titles[key] = group.title
        for one in group.contenders:
            places[key][one.id].append(one.name)
            drawn[key] |= one.records[0].cell.eval_size is not None
    found = []
    for key, contenders in places.items():
        apart = [names[0] for names in contenders.values() if len(names) > 1]
        if apart:
            more = f" and {len(apart) - 1:,} more" if len(apart) > 1 else ""
            why = ", since earlier versions drew --max_eval_samples by the seed" if drawn[key] else ""
            way_out = " To join seeds, run the older ones again." if drawn[key] else ""
            found.append(
                f"{titles[key]}: runs of {apart[0]}{more} with different seeds answered different rows{why}. Each set "
                f"of rows stands apart, and nothing is joined or compared across them.{way_out}"
            )
    return found
