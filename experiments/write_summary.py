"""Write BENCHMARK_SUMMARY.md from the suite files: `python experiments/write_summary.py`."""

from pathlib import Path

from beatingbert.experiments.suite.summary import summarise

HERE = Path(__file__).resolve().parent

if __name__ == "__main__":
    page = summarise(sorted((HERE / "suites").glob("*.yaml")))
    (HERE / "BENCHMARK_SUMMARY.md").write_text(page, encoding="utf-8")
