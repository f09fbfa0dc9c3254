#!/usr/bin/env bash
# Fills golden.json: builds grpc-gateway v2.33.0 from the test proto (Go needed), lets it stand in front
# of our C++ test server, and plays table.json. `./dev test transcode-oracle` calls this.
#
#   run.sh SERVER GOOGLEAPIS_DIR      the krypton-oracle-server binary; where google/api/*.proto are
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
cache=${KRYPTON_CACHE_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/krypton}
server=${1:-$root/build/release/tests/krypton-oracle-server}
googleapis=${2:-$cache/googleapis-1.76.0}
work=$cache/oracle
command -v go >/dev/null || { echo "run.sh: the oracle needs Go" >&2; exit 1; }
[ -x "$server" ] || { echo "run.sh: $server is not built" >&2; exit 1; }

export GOBIN=$cache/go-bin
go install google.golang.org/protobuf/cmd/protoc-gen-go@v1.36.11
go install google.golang.org/grpc/cmd/protoc-gen-go-grpc@v1.6.0
go install github.com/grpc-ecosystem/grpc-gateway/v2/protoc-gen-grpc-gateway@v2.33.0

rm -rf "$work"
mkdir -p "$work/gen"
cp "$here"/gateway/go.mod "$here"/gateway/go.sum "$here"/gateway/main.go "$work"
PATH=$GOBIN:$PATH protoc -I "$here/proto" -I "$googleapis" \
  --go_out="$work" --go_opt=module=krypton.test/oracle \
  --go-grpc_out="$work" --go-grpc_opt=module=krypton.test/oracle \
  --grpc-gateway_out="$work" --grpc-gateway_opt=module=krypton.test/oracle \
  krypton/oracle/v1/oracle.proto
cd "$work"
go build -o "$work/oracle" .

# The server prints its address and lives until its standard input ends.
coproc SERVER { exec "$server"; }
trap 'eval "exec ${SERVER[1]}>&-"' EXIT
read -r address <&"${SERVER[0]}"
"$work/oracle" "$address" "$here/table.json" "$here/golden.json"
