# Sourced by ./dev: configure, build, format, lint.

# configure PRESET: only when the folder is new; ninja notices changed CMake files by itself.
configure() {
  local protos; protos=$(googleapis)
  [ -e "build/$1/build.ninja" ] \
    || cmake --preset "$1" -G Ninja -DKRYPTON_GOOGLEAPIS_DIR="$protos" >&2
}

# build PRESET [TARGET...]: everything, tests too, or those targets.
build() {
  local preset=$1; shift
  case "$preset" in release|debug|asan|tsan) ;; *) fail "no preset '$preset': release, debug, asan, tsan" ;; esac
  configure "$preset"
  say "Building $preset"
  cmake --build --preset "$preset" -j "$jobs" ${1:+--target "$@"} >&2
}

sources() { git ls-files --cached --others --exclude-standard '*.cc' '*.h'; }

run_format() {
  if [ "${1:-}" = --check ]; then
    sources | xargs -r clang-format --dry-run -Werror && say "Format is right"
  else
    sources | xargs -r clang-format -i
  fi
}

run_lint() {
  local buf; buf=$(go_tool buf github.com/bufbuild/buf/cmd/buf@v1.75.0)
  if [ -n "$buf" ]; then
    say "buf lint"
    lint_protos "$buf"
  else
    say "buf lint left out: Go is not installed here"
  fi
  say "clang-tidy"
  # Without g++'s precompiled headers, which clang cannot read.
  mkdir -p build/lint
  sed 's/ -Winvalid-pch -include [^ ]*cmake_pch\.hxx//' build/release/compile_commands.json > build/lint/compile_commands.json
  # 14, which is Debian 12's own, does not know std::source_location. The warnings that it does not know are g++'s.
  local tidy; tidy=$(command -v clang-tidy-16 || command -v clang-tidy)
  sources | grep '\.cc$' | xargs -r -P "$jobs" -n 4 \
    "$tidy" -p build/lint --quiet --extra-arg=-Wno-unknown-warning-option
}

# lint_protos BUF: a workspace of our protos and Google's, so that buf needs no network.
lint_protos() {
  local work; work=$(mktemp -d)
  cp -r proto "$work/krypton"; mkdir -p "$work/google"
  cp -r "$(googleapis)/google" "$work/google/google"
  cat > "$work/buf.yaml" <<YAML
version: v2
modules:
  - path: krypton
    lint:
      use: [STANDARD, COMMENT_SERVICE, COMMENT_ENUM]
  - path: google
    lint:
      ignore: [google]
YAML
  local status=0
  (cd "$work" && "$1" lint krypton) || status=$?
  rm -rf "$work"
  return "$status"
}
