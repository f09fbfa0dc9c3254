# Sourced by ./dev: OCI images of the programs, and the chart's package.

version() { sed -n 's/^project(krypton VERSION \([0-9.]*\).*/\1/p' "$root/CMakeLists.txt"; }

# build_image_programs [TARGET...]: what the images are made of, unless KRYPTON_IMAGES_FROM names a folder of built programs.
build_image_programs() {
  [ -n "${KRYPTON_IMAGES_FROM:-}" ] \
    || build release "$@" krypton krypton-manager krypton-gateway krypton-control-plane krypton-proxy
}

# build_images [--push HOST/PATH]: archives and bills of materials in build/images.
build_images() {
  local push=()
  while [ $# -gt 0 ]; do
    case "$1" in
      --push) [ -n "${2:-}" ] || fail "--push wants HOST/PATH"; push=(--push "$2"); shift 2 ;;
      *) fail "images: unknown argument '$1' (only --push HOST/PATH)" ;;
    esac
  done
  local revision date
  revision=$(git rev-parse HEAD 2>/dev/null || echo unknown)
  # The same commit gives the same bytes: files are dated by it.
  date=$(git log -1 --format=%ct 2>/dev/null || echo 0)
  say "Making the images$([ ${#push[@]} -eq 0 ] || echo " and pushing them to ${push[1]}")"
  SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$date} python3 scripts/images/build.py \
    --binaries "${KRYPTON_IMAGES_FROM:-build/release/bin}" --out build/images \
    --version "$(version)" --revision "$revision" "${push[@]}"
}

# package_chart [--push HOST/PATH]: the chart's archive in build/charts.
package_chart() {
  local helm push=
  [ "${1:-}" != --push ] || { push=${2:?--push wants HOST/PATH}; shift 2; }
  [ $# -eq 0 ] || fail "chart: unknown argument '$1' (only --push HOST/PATH)"
  helm=$(go_tool helm helm.sh/helm/v3/cmd/helm@v3.19.5)
  [ -n "$helm" ] || fail "helm is not here and cannot be built: Go is not installed"
  mkdir -p build/charts
  "$helm" package charts/krypton --destination build/charts >&2
  local archive; archive=build/charts/krypton-$(sed -n 's/^version: //p' charts/krypton/Chart.yaml).tgz
  [ -z "$push" ] || "$helm" push "$archive" "oci://$push"
}
