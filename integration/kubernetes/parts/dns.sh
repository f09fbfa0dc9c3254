# CoreDNS answers for the cluster's names, as a process of the node: pods ask it at the node's address.

start_dns() {
  cat > "$state/Corefile" <<CONF
.:53 {
  bind $node_address
  errors
  kubernetes cluster.local in-addr.arpa {
    kubeconfig $state/dns.kubeconfig
    ttl 5
  }
}
CONF
  start_process dns "$programs/coredns" -conf "$state/Corefile"
}
