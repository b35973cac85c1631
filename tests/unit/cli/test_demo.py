import json
from pathlib import Path

import pytest

from beatingbert import LinearConfig, MajorityConfig, run
from beatingbert.cli import demo
from beatingbert.runs.store import read_record


def test_the_demo_ends_with_a_table_a_sentence_and_the_report(
    data_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "demo"
    records = []
    for config, engine in ((MajorityConfig, "llm"), (LinearConfig, "encoder")):
        folder = root / engine
        run(config(task="sst2", data_dir=data_dir, output_dir=folder))
        data = json.loads((folder / "results.json").read_text(encoding="utf-8"))
        data["cell"] |= {"engine": engine, "settings": {"shots": 0, "answer_by": "likelihood"}}
        data["model"] = f"a [b]{engine}[/b]"
        (folder / "results.json").write_text(json.dumps(data), encoding="utf-8")
        (folder / "checksums.sha256").unlink()  # which would tell that this was not what the run wrote
        records.append(read_record(folder / "results.json"))
    demo._conclude(records, root, 130.0)
    shown = " ".join(capsys.readouterr().out.split())
    assert "No difference can be claimed between a [b]" in shown
    assert "2 min 10 s in all." in shown
    assert (root / "analysis" / "performance_table.md").exists()
