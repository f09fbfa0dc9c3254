#!/bin/sh
# sanitized.sh COMMAND...: runs a test whose programs are built with sanitizers. Reports of all its processes,
# also of those that a test kills or whose output nobody reads, go to files; any report fails the test.
reports=$(mktemp -d "${TMPDIR:-/tmp}/krypton-reports-XXXXXX") || exit 1
trap 'rm -rf "$reports"' EXIT
common="log_path=$reports/report:log_exe_name=1"
export KRYPTON_TEST_SANITIZER_REPORTS="$reports"
export ASAN_OPTIONS="$common:handle_sigill=1:detect_stack_use_after_return=1:strict_string_checks=1"
export UBSAN_OPTIONS="$common:halt_on_error=1:print_stacktrace=1:suppressions=$(dirname "$0")/ubsan.supp"
# The sleep at the end of each process (1 s unless it is said) is for races between exit and other threads.
# A second SIGTERM ends a process where it stands, with threads that have ended and nobody has joined.
export TSAN_OPTIONS="$common:report_thread_leaks=0:suppressions=$(dirname "$0")/tsan.supp:second_deadlock_stack=1:atexit_sleep_ms=50"
"$@"
status=$?
for report in "$reports"/*; do
  [ -e "$report" ] || continue
  echo "===== $(basename "$report")"
  cat "$report"
  [ "$status" -ne 0 ] || status=66
done
exit "$status"
