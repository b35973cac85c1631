#!/usr/bin/env bash
# Every mode once on small data: minutes on two cores, no model hub needed.
# Further flags go to `beatingbert suite run`, e.g. --executor processes --workers 2. Run again to go on.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
command=beatingbert
if [[ -x .venv/bin/beatingbert ]]; then
  command=.venv/bin/beatingbert
fi
"$command" suite run experiments/suites/quick.yaml --report "$@"
