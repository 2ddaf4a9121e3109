#!/usr/bin/env bash
# Runs every test (nextest, then the doc tests, which nextest leaves out) and ends with the counts:
# the last line is `N passed, N failed`.
set -u

target=${CARGO_TARGET_DIR:-target}
junit=$target/nextest/ci/junit.xml
doc_log=$target/doc-tests.log
mkdir -p "$target"
rm -f "$junit" "$doc_log" "$target/test-counts"
failures=0

cargo nextest run --locked -P ci || failures=1
cargo test --locked --doc 2>&1 | tee "$doc_log"
[ "${PIPESTATUS[0]}" -eq 0 ] || failures=1

# Sums a count over the `test result:` lines of the doc tests.
doc_count() {
    awk -v what="$1" '/^test result:/ { for (i = 2; i <= NF; i++) if ($i ~ "^" what) sum += $(i - 1) }
        END { print sum + 0 }' "$doc_log"
}
# Reads a count from the head of nextest's report.
nextest_count() {
    sed -n "s/^<testsuites .*[ ]$1=\"\([0-9]*\)\".*/\1/p" "$junit"
}

if [ ! -s "$junit" ]; then
    echo "nextest left no report: it did not get as far as running tests" >&2
    exit 1
fi
all=$(nextest_count tests)
bad=$(($(nextest_count failures) + $(nextest_count errors)))
passed=$((all - bad + $(doc_count passed)))
failed=$((bad + $(doc_count failed)))
[ "$failed" -eq 0 ] || failures=1
[ "$passed" -gt 0 ] || failures=1

echo "$passed passed, $failed failed" | tee "$target/test-counts"
exit "$failures"
