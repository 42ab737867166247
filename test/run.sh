#!/usr/bin/env bash
# The whole test run: static checks, then every ring. No ring is skipped: what a ring needs and cannot have is a failure.
set -euo pipefail
cd "$(dirname "$0")/.."

bash test/prepare.sh
npm run --silent check
npm run --silent build

report=$(mktemp)
trap 'rm -f "$report"' EXIT
status=0
npx vitest run --reporter=default --reporter=json --outputFile.json="$report" || status=$?
node test/summary.mjs "$report"
exit "$status"
