# The node: containerd, kubelet and kube-proxy, with folders of their own. The pause image is made here.

start_node() {
  start_scheduler
  start_containerd
  eventually 30 runtime_ready
  import_pause_image
  start_kubelet
  start_kubeproxy
}

runtime() { ctr --address "$state/run/containerd.sock" --namespace k8s.io "$@"; }
runtime_ready() { runtime version; }

start_containerd() {
  write_container_network
  write_registry_trust
  cat > "$state/containerd.toml" <<TOML
version = 2
root = "$state/containerd/root"
state = "$state/containerd/state"
[grpc]
  address = "$state/run/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "krypton.test/pause:1"
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "$state/cni"
  [plugins."io.containerd.grpc.v1.cri".registry]
    config_path = "$state/certs.d"
TOML
  start_process containerd containerd --config "$state/containerd.toml"
}

write_container_network() {
  mkdir -p "$state/cni"
  # Each pod on a wire of its own to the node: what pods say to one another is routed, so that the node's rules
  # see it (over a bridge they would not).
  cat > "$state/cni/10-pods.conflist" <<JSON
{"cniVersion": "1.0.0", "name": "$group", "plugins": [
  {"type": "ptp", "ipMasq": false,
   "ipam": {"type": "host-local", "dataDir": "$state/cni/addresses", "ranges": [[{"subnet": "$pod_range"}]],
            "routes": [{"dst": "0.0.0.0/0"}]}},
  {"type": "portmap", "capabilities": {"portMappings": true}}]}
JSON
}

write_registry_trust() {
  mkdir -p "$state/certs.d/$registry"
  cat > "$state/certs.d/$registry/hosts.toml" <<TOML
[host."https://$registry"]
  ca = "$state/pki/ca.crt"
TOML
}

# import_pause_image: the process that holds a pod's namespaces; a static program of ten lines.
import_pause_image() {
  mkdir -p "$state/pause"
  gcc -Os -static -o "$state/pause/pause" "$here/files/pause.c"
  python3 "$here/../../scripts/images/single.py" --name krypton.test/pause:1 --entrypoint /pause \
    --file "/pause=$state/pause/pause" "$state/pause/pause.tar" >/dev/null
  runtime images import "$state/pause/pause.tar" >/dev/null
}

start_kubelet() {
  # The kubelet wants a resolver for pods that ask the node's own.
  echo "nameserver $node_address" > "$state/resolv.conf"
  cat > "$state/kubelet.yaml" <<YAML
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
cgroupDriver: cgroupfs
cgroupRoot: /$group
failCgroupV1: false
failSwapOn: false
clusterDNS: [$node_address]
clusterDomain: cluster.local
resolvConf: $state/resolv.conf
podLogsDir: $state/pods
containerRuntimeEndpoint: unix://$state/run/containerd.sock
authentication:
  anonymous: {enabled: false}
  webhook: {enabled: true}
  x509: {clientCAFile: $state/pki/ca.crt}
authorization: {mode: Webhook}
tlsCertFile: $state/pki/kubelet-server.crt
tlsPrivateKeyFile: $state/pki/kubelet-server.key
evictionHard: {memory.available: 50Mi, nodefs.available: 1%, imagefs.available: 1%, nodefs.inodesFree: 1%}
imageGCHighThresholdPercent: 100
serializeImagePulls: false
# A test changes Secrets and waits for pods to see it.
syncFrequency: 10s
YAML
  start_process kubelet "$programs/kubelet" --config="$state/kubelet.yaml" --kubeconfig="$state/kubelet.kubeconfig" \
    --hostname-override=node1 --node-ip="$node_address" --root-dir="$state/kubelet"
}

start_kubeproxy() {
  cat > "$state/kubeproxy.yaml" <<YAML
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: iptables
clientConnection: {kubeconfig: $state/kubeproxy.kubeconfig}
conntrack: {maxPerCore: 0}
hostnameOverride: node1
YAML
  start_process kubeproxy "$programs/kube-proxy" --config="$state/kubeproxy.yaml"
}

wait_for_node() { eventually 120 inside kubectl wait --for=condition=Ready node/node1 --timeout=1s; }
