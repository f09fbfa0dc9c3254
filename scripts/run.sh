# Sourced by ./dev: starts the mesh with the examples.

# check_port [ARG...]: a port that is taken is said before the build, which may take minutes. Other ports than the
# default's are the business of `krypton up`.
check_port() {
  [[ " $*" != *" --port-base"* && -z "${KRYPTON_PORT_BASE:-}" ]] || return 0
  ! (exec 3<>/dev/tcp/127.0.0.1/8080) 2>/dev/null \
    || fail "port 8080 is taken (is another mesh running?); choose others: ./dev run --port-base 9000"
}

# run_mesh [--model] [ARG...]: arguments other than --model are those of `krypton up`.
run_mesh() {
  local arguments=() folders=(examples/) argument python
  for argument in "$@"; do
    if [ "$argument" = --model ]; then folders+=(examples/models/); else arguments+=("$argument"); fi
  done
  if [ "${#folders[@]}" -gt 1 ]; then
    python=$(models_python)
    model_weights "$python"
    # The models' commands find their Python by the name python3.
    PATH=$(dirname "$python"):$PATH
    export PATH
  fi
  exec "$root/build/release/bin/krypton" up "${arguments[@]}" "${folders[@]}"
}
