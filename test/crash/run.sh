#!/usr/bin/env bash
# The crash ring; with options, the random crash test alone: see test/crash/random/main.ts.
set -euo pipefail
cd "$(dirname "$0")/../.."
if [ "$#" -eq 0 ]; then
  exec npx vitest run --project crash
fi
exec npx tsx test/crash/random/main.ts "$@"
