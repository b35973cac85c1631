"""Ask a small decoder LLM, zero-shot or with demonstrations: `python experiments/run_llm.py --help`."""

from beatingbert import LLMConfig
from beatingbert.cli.main import script

if __name__ == "__main__":
    raise SystemExit(script(LLMConfig, prog="run_llm.py"))
