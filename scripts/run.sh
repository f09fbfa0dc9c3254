# Sourced by ./dev: starts the mesh with the examples.

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
