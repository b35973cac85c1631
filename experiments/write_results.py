"""Write a study's tables, pictures and pages from its published records: `python experiments/write_results.py`.

Another study: `python experiments/write_results.py studies/NAME` makes studies/NAME/RESULTS.md of all blocks.
"""

import sys
from pathlib import Path

from beatingbert.errors import BeatingBertError
from beatingbert.study.write import write_study

ROOT = Path(__file__).resolve().parents[1]
OFFLINE = ROOT / "studies" / "offline"
PAGES = [ROOT / "docs" / "RESULTS.md", ROOT / "docs" / "METHOD.md", ROOT / "README.md"]

if __name__ == "__main__":
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else OFFLINE
    pages = PAGES if folder.resolve() == OFFLINE else [folder / "RESULTS.md"]
    try:
        sys.stdout.write(f"{write_study(folder, pages)}/\n")
    except BeatingBertError as error:
        sys.exit(f"error: {error}")
