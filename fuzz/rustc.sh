#!/bin/sh
# RUSTC_WRAPPER of `cargo xtask fuzz`: coverage counters in our own crates, which lie in this repository, and in no
# other. The stable compiler has them.
here=$(dirname "$(dirname "$(readlink -f "$0")")")
case ${CARGO_MANIFEST_DIR-} in
"$here" | "$here"/*)
    exec "$@" -C passes=sancov-module \
        -C llvm-args=-sanitizer-coverage-level=4 \
        -C llvm-args=-sanitizer-coverage-inline-8bit-counters \
        -C llvm-args=-sanitizer-coverage-pc-table \
        -C llvm-args=-sanitizer-coverage-trace-compares
    ;;
esac
exec "$@"
