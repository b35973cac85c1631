"""What several claims made at once do to their p-values."""

from __future__ import annotations

from collections.abc import Sequence

from beatingbert.errors import SettingsError


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjust p-values so that the chance of even one false claim among them stays below the threshold used.

    Args:
        p_values: one per claim, in any order, each between 0 and 1; no assumption on how they depend on each other.

    Returns:
        Adjusted p-values in the order given, at most 1; compare each with the threshold as if it stood alone.

    Raises:
        SettingsError: a value outside 0 and 1 (or not a number).
    Source: Holm (1979), in the adjusted form of Wright (1992).
    """
    for value in p_values:
        if not 0 <= value <= 1:
            raise SettingsError(f"a p-value lies between 0 and 1, got {value}")
    adjusted = [0.0] * len(p_values)
    reached = 0.0
    for rank, position in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        # A larger p-value never ends below a smaller one.
        reached = max(reached, min(1.0, (len(p_values) - rank) * p_values[position]))
        adjusted[position] = reached
    return adjusted
