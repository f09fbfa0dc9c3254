# The OCI registry of images and charts: Debian's docker-registry, with a certificate of the cluster's authority.

start_registry() {
  cat > "$state/registry.yaml" <<YAML
version: 0.1
log: {level: warn}
storage:
  filesystem: {rootdirectory: $state/registry}
  delete: {enabled: true}
http:
  addr: $registry
  tls: {certificate: $state/pki/registry.crt, key: $state/pki/registry.key}
YAML
  start_process registry docker-registry serve "$state/registry.yaml"
}
