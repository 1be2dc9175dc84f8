#!/usr/bin/env bash
# Moves many objects down and up again for so many minutes while one request in twenty fails, and
# shows that all bytes are equal in the end and that nothing grows.
#
#   tests/soak.sh [MINUTES] [OBJECTS] [SEED]    30 minutes and 100,000 objects unless told
#
# The round that is under way when the time is over is finished; a short run wants fewer objects.

set -euo pipefail
cd "$(dirname "$0")/.."
export CARGO_PROFILE_DEV_DEBUG=line-tables-only
export HAUL_SOAK_MINUTES=${1:-30}
# So many that a run of a few minutes has several rounds.
if ((HAUL_SOAK_MINUTES < 30)); then fewer=$((HAUL_SOAK_MINUTES * 3000)); else fewer=100000; fi
export HAUL_SOAK_OBJECTS=${2:-$fewer}
if [[ -n ${3:-} ]]; then export HAUL_SOAK_SEED=$3; fi
exec cargo test --locked --test e2e -- --ignored --nocapture soak::
