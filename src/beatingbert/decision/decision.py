"""A decision as an object that can be shown, saved and looked into.

What it says is made once, by `words`, for the terminal, `decision.md`, the page and the notebook alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from beatingbert.decision.grounds import Grounds
from beatingbert.decision.picture import NAME, draw_curves
from beatingbert.decision.shown import as_html, as_markdown, as_page
from beatingbert.decision.words import Section, sections
from beatingbert.runs.files import write_json, write_text

DECISION = "decision.json"


@dataclass(frozen=True, kw_only=True, eq=False)
class Decision(Grounds):
    """What was decided; see `Grounds` for its parts. A notebook shows it as tables with the learning curve."""

    def sections(self) -> tuple[Section, ...]:
        """What it says, heading by heading."""
        return sections(self)

    def to_markdown(self) -> str:
        """As `decision.md` has it."""
        return as_markdown(self.sections(), picture=self.picture.name if self.picture.is_file() else None)

    def to_html(self) -> str:
        """A fragment with its own styles, its picture in it, and no script."""
        return as_html(self.sections(), picture=self.picture.read_bytes() if self.picture.is_file() else None)

    def _repr_html_(self) -> str:
        return self.to_html()

    def __str__(self) -> str:
        return self.to_markdown()

    @property
    def picture(self) -> Path:
        """Where the learning curve lies, once it is saved and if there is any."""
        return self.folder / f"{NAME}.png"

    def save(self) -> list[Path]:
        """Write `decision.md`, `decision.html`, the learning curve, and `decision.json` last; each of them is whole."""
        self.folder.mkdir(parents=True, exist_ok=True)
        drawn = draw_curves(self.curves, self.folder, metric=self.metric, title=f"Learning curves on {self.title}")
        files = {
            "decision.md": self.to_markdown(),
            "decision.html": as_page(self.to_html(), f"Decision for {self.title}"),
        }
        for name, text in files.items():
            write_text(self.folder / name, text)
        write_json(self.folder / DECISION, self.to_json())
        return [*drawn, *(self.folder / name for name in (*files, DECISION))]
