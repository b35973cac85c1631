"""Write the report of all runs under results/: `python experiments/analyze_results.py --help`."""

from beatingbert.cli.main import report_script

if __name__ == "__main__":
    raise SystemExit(report_script(prog="analyze_results.py"))
