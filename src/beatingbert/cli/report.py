"""`beatingbert report`: the leaderboard of all runs in a folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rich.markup import escape

from beatingbert.cli.console import out
from beatingbert.cli.run import print_leaderboard
from beatingbert.errors import DataError, SettingsError
from beatingbert.report.leaderboard import markdown_table, standings, write_table_csv
from beatingbert.runs.store import RunStore


@dataclass(frozen=True, kw_only=True)
class Report:
    """Show all finished runs of a folder as a table, and write it as Markdown and CSV.

    Attributes:
        results_dir: Folder that holds the runs.
        output_dir: Where leaderboard.md and leaderboard.csv go. Default: only the terminal.
    """

    results_dir: Path = Path("results")
    output_dir: Path | None = None

    def __call__(self) -> int:
        """Print and write."""
        found = standings(RunStore(self.results_dir).records())
        if not found:
            raise DataError(
                f"no finished run with scores under {str(self.results_dir)!r}; "
                "make one with 'beatingbert demo' or 'beatingbert run', or give --results_dir"
            )
        print_leaderboard(found)
        if self.output_dir is not None:
            try:
                self.output_dir.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                reason = error.strerror or error
                raise SettingsError(f"--output_dir {str(self.output_dir)!r} cannot be made: {reason}") from error
            (self.output_dir / "leaderboard.md").write_text(markdown_table(found), encoding="utf-8")
            write_table_csv(self.output_dir / "leaderboard.csv", found)
            out.print(f"written: {escape(str(self.output_dir))}/leaderboard.md and leaderboard.csv")
        return 0
