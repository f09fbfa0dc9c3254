#!/usr/bin/env bash
# `./dev test` in a fresh Debian: fresh.sh [12|13] [COMMAND...] makes one with debootstrap in a temporary
# folder of the cache, copies the tree there, and runs `./dev test` (or COMMAND) inside. Needs root.
# How this machine reaches its package sources (apt's sources and settings, pip's, Go's, proxies,
# certificates) is taken along as it is; nothing else of this machine is.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cache=${KRYPTON_CACHE_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/krypton}
release=${1:-12}
[ $# -gt 0 ] && shift
say() { printf '\033[1m==> %s\033[0m\n' "$*" >&2; }
fail() { printf 'fresh: %s\n' "$*" >&2; exit 1; }

case "$release" in
  12) suite=bookworm ;;
  13) suite=trixie ;;
  *) fail "no Debian '$release': 12 or 13" ;;
esac
[ "$(id -u)" -eq 0 ] || fail "debootstrap and chroot need root: sudo ./dev test fresh $release"

mkdir -p "$cache"
target=$(mktemp -d "$cache/fresh-$suite-XXXXXX")
chmod 755 "$target"  # apt reads as another user.

# All that was mounted is unmounted, whatever happens.
clean_up() {
  local point
  for point in dev/pts dev/shm dev proc sys; do
    mountpoint -q "$target/$point" && umount -l "$target/$point"
  done
  rm -rf --one-file-system "$target"
}
trap clean_up EXIT

# mirror: where this machine's apt gets Debian from; empty: debootstrap's default.
mirror() {
  apt-get indextargets --format '$(ORIGIN) $(SITE)' 2>/dev/null \
    | awk '$1 == "Debian" && $2 !~ /security/ { print $2; exit }'
}

# take PATH: copies a file or folder of this machine to the same place inside.
take() {
  [ -e "$1" ] || return 0
  mkdir -p "$target/$(dirname "$1")"
  cp -aL "$1" "$target/$(dirname "$1")/"
}

# settings: the environment that says how to reach package sources.
settings() {
  env | grep -v '^PIP_FIND_LINKS=' | grep -iE '^(https?_proxy|no_proxy|all_proxy|pip_[a-z_]*|uv_[a-z_]*|go(proxy|sumdb|nosumdb|flags|private)|ssl_cert_(file|dir)|requests_ca_bundle|curl_ca_bundle|npm_config_[a-z_]*)=' || true
  if command -v go >/dev/null; then
    for name in GOPROXY GOSUMDB; do printf '%s=%s\n' "$name" "$(go env "$name")"; done
  fi
}

say "Making Debian $release in $target"
debootstrap --variant=minbase --include=ca-certificates,python3-minimal "$suite" "$target" $(mirror) \
  | awk 'NR % 50 == 0 { print "  " NR " steps" > "/dev/stderr" }' \
  || fail "debootstrap failed"

# The same sources as here, for that release, instead of debootstrap's.
sources=$(grep -lE 'bookworm|trixie' /etc/apt/sources.list /etc/apt/sources.list.d/*.sources \
  /etc/apt/sources.list.d/*.list 2>/dev/null || true)
[ -n "$sources" ] && rm -f "$target/etc/apt/sources.list"
for file in $sources; do
  take "$file"
  sed -i "s/bookworm/$suite/g; s/trixie/$suite/g" "$target$file"
done
take /etc/apt/apt.conf
take /etc/apt/apt.conf.d
take /etc/apt/auth.conf.d
take /etc/resolv.conf
take /etc/hosts
take /etc/pip.conf
take "$HOME/.config/pip"
take "$HOME/.pip"
take /usr/local/share/ca-certificates
take /etc/ssl/certs/ca-certificates.crt
while IFS='=' read -r _ value; do  # Certificates that the settings name.
  case "$value" in /*) [ -f "$value" ] && take "$value" ;; esac
done < <(settings)

mount -t proc proc "$target/proc"
mount -t sysfs sys "$target/sys"
mount --bind /dev "$target/dev"
mount -t devpts -o newinstance,ptmxmode=0666 devpts "$target/dev/pts"
mount -t tmpfs shm "$target/dev/shm"

mkdir -p "$target/krypton"
# One archive, however many files there are (xargs would split a long list into several).
(cd "$root" && git ls-files -z --cached --others --exclude-standard | tar cf - --null --files-from=-) \
  | tar xf - -C "$target/krypton"

say "./dev test in Debian $release"
environment=("HOME=/root" "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" "LANG=C.UTF-8")
while IFS= read -r line; do environment+=("$line"); done < <(settings)
status=0
env -i "${environment[@]}" chroot "$target" sh -c '
  [ -d /usr/local/share/ca-certificates ] && update-ca-certificates >/dev/null 2>&1
  cd /krypton
  if [ $# -eq 0 ]; then set -- ./dev test; fi
  exec "$@"' sh "$@" || status=$?
exit "$status"
