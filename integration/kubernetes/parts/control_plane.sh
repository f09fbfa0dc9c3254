# etcd, the API server (with an audit log of what service accounts ask), the controllers, the scheduler.

start_control_plane() {
  start_etcd
  start_apiserver
  eventually 120 api_ready
  start_controllers
}

start_etcd() {
  start_process etcd "$programs/etcd" --data-dir "$state/etcd" --unsafe-no-fsync --log-level error \
    --listen-client-urls http://127.0.0.1:2379 --advertise-client-urls http://127.0.0.1:2379 \
    --listen-peer-urls http://127.0.0.1:2380
}

start_apiserver() {
  local pki=$state/pki
  start_process apiserver "$programs/kube-apiserver" \
    --etcd-servers=http://127.0.0.1:2379 --bind-address=0.0.0.0 --secure-port=6443 \
    --advertise-address="$node_address" \
    --service-cluster-ip-range="$service_range" --allow-privileged \
    --authorization-mode=Node,RBAC --enable-admission-plugins=NodeRestriction \
    --client-ca-file="$pki/ca.crt" --tls-cert-file="$pki/apiserver.crt" --tls-private-key-file="$pki/apiserver.key" \
    --service-account-issuer=https://kubernetes.default.svc.cluster.local \
    --service-account-key-file="$pki/tokens.pub" --service-account-signing-key-file="$pki/tokens.key" \
    --kubelet-preferred-address-types=InternalIP --kubelet-certificate-authority="$pki/ca.crt" \
    --kubelet-client-certificate="$pki/apiserver-to-kubelet.crt" \
    --kubelet-client-key="$pki/apiserver-to-kubelet.key" \
    --audit-policy-file="$here/files/audit-policy.yaml" --audit-log-path="$state/log/audit.jsonl"
}

api_ready() { inside kubectl get --raw /readyz; }

# A control plane's controllers that do not reach the API server lose their own lease, begin anew, and give each node
# its whole grace period from then on. Ours run without an election, and would take the time for which they heard
# nothing themselves (tests stop the API server for a minute) for the node's: all pods NotReady, no Service with
# endpoints. So the period is longer than that; what comes of a node that is lost a test brings about by hand.
start_controllers() {
  start_process controllers "$programs/kube-controller-manager" --kubeconfig="$state/controllers.kubeconfig" \
    --authentication-kubeconfig="$state/controllers.kubeconfig" \
    --authorization-kubeconfig="$state/controllers.kubeconfig" \
    --leader-elect=false --use-service-account-credentials --controllers='*,-nodeipam' \
    --node-monitor-grace-period=5m \
    --root-ca-file="$state/pki/ca.crt" --service-account-private-key-file="$state/pki/tokens.key"
}

start_scheduler() {
  start_process scheduler "$programs/kube-scheduler" --kubeconfig="$state/scheduler.kubeconfig" \
    --authentication-kubeconfig="$state/scheduler.kubeconfig" \
    --authorization-kubeconfig="$state/scheduler.kubeconfig" --leader-elect=false
}
