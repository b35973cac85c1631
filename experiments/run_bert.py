"""Fine-tune, evaluate or apply a BERT-family encoder: `python experiments/run_bert.py --help`."""

from beatingbert import BERTConfig
from beatingbert.cli.main import script

if __name__ == "__main__":
    raise SystemExit(script(BERTConfig, prog="run_bert.py"))
