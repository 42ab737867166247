#!/usr/bin/env bash
# Checks what guestree expects of rpm-ostree: on the stand-in in a lab, or on the real one (rpm-ostree.test.ts says how).
set -euo pipefail
cd "$(dirname "$0")/../.."

export RPM_OSTREE=${RPM_OSTREE:-stand-in}
[ "${RPM_OSTREE_HOST-}" = local ] || bash test/prepare.sh
exec npx vitest run --project contract "$@"
