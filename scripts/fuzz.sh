# Sourced by ./dev: the fuzz targets (common/fuzz/README.md).

# run_fuzz [NAME SECONDS | NAME --merge]: without a name, lists the targets; `all` takes each in turn.
run_fuzz() {
  local name=${1:-} what=${2:-60}
  configure_fuzz
  if [ -z "$name" ]; then
    say "Fuzz targets (./dev fuzz NAME SECONDS; all takes each in turn)"
    fuzz_targets
    return
  fi
  local names; names=$([ "$name" = all ] && fuzz_targets || echo "$name")
  for name in $names; do
    [ -e "build/fuzz/fuzz/$name.corpus" ] || fail "no fuzz target '$name': ./dev fuzz lists them"
    say "Building fuzz_$name"
    cmake --build --preset fuzz -j "$jobs" --target "fuzz_$name" >&2
    if [ "$what" = --merge ]; then fuzz_merge "$name"; else fuzz_search "$name" "$what"; fi
  done
}

# Debian 12 has clang 16, 13 has 19 (packages.list).
configure_fuzz() {
  local version
  for version in 16 19; do
    command -v "clang++-$version" >/dev/null || continue
    CC=clang-$version CXX=clang++-$version configure fuzz
    return
  done
  fail "no clang++-16 and no clang++-19 here"
}

fuzz_targets() { (cd build/fuzz/fuzz && ls -- *.corpus) | sed 's/\.corpus$//'; }

# fuzz_search NAME SECONDS: searches from the checked-in inputs and those that earlier runs gathered.
fuzz_search() {
  local corpus gathered=build/fuzz/corpus/$1 found=build/fuzz/findings/$1/
  corpus=$(cat "build/fuzz/fuzz/$1.corpus")
  mkdir -p "$gathered" "$found" "$corpus"
  say "Fuzzing $1 for $2 s"
  # yaml-cpp throws, and the allocator of a sanitizer keeps what it is given: memory is bounded here.
  ASAN_OPTIONS=detect_leaks=1:allocator_may_return_null=1 UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 \
    "build/fuzz/fuzz/fuzz_$1" -max_total_time="$2" -timeout=20 -rss_limit_mb=2048 -max_len=16384 \
    -artifact_prefix="$found" -print_final_stats=1 "$gathered" "$corpus" \
    || fail "$1: a finding; the input is in $found (see common/fuzz/README.md)"
}

# fuzz_merge NAME: the fewest of what was gathered that reaches more than the checked-in inputs do.
fuzz_merge() {
  local corpus; corpus=$(cat "build/fuzz/fuzz/$1.corpus")
  "build/fuzz/fuzz/fuzz_$1" -set_cover_merge=1 -max_len=2048 "$corpus" "build/fuzz/corpus/$1"
}
