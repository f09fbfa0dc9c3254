# One authority; a certificate for each party, and a kubeconfig for each client of the API server.

make_pki() {
  local pki=$state/pki
  mkdir -p "$pki"
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 365 -subj /CN=kubernetes \
    -keyout "$pki/ca.key" -out "$pki/ca.crt" 2>/dev/null
  # Pods' tokens are signed with RSA, as every verifier understands it.
  openssl genrsa -out "$pki/tokens.key" 2048 2>/dev/null
  openssl rsa -in "$pki/tokens.key" -pubout -out "$pki/tokens.pub" 2>/dev/null
  # For clients that speak to the API server and the registry, and to nobody else outside.
  cp "$pki/ca.crt" "$pki/trusted.crt"

  server_certificate apiserver kube-apiserver "IP:$node_address,IP:$api_service,IP:127.0.0.1,DNS:kubernetes,\
DNS:kubernetes.default,DNS:kubernetes.default.svc,DNS:kubernetes.default.svc.cluster.local"
  server_certificate kubelet-server node1 "IP:$node_address,DNS:node1"
  server_certificate registry registry "IP:$node_address"
  client_certificate admin /O=system:masters/CN=admin
  client_certificate kubelet /O=system:nodes/CN=system:node:node1
  client_certificate controllers /CN=system:kube-controller-manager
  client_certificate scheduler /CN=system:kube-scheduler
  client_certificate kubeproxy /CN=system:kube-proxy
  client_certificate dns /O=system:masters/CN=coredns
  client_certificate apiserver-to-kubelet /O=system:masters/CN=apiserver
  local client
  for client in admin kubelet controllers scheduler kubeproxy dns; do kubeconfig "$client"; done
}

server_certificate() { certificate "$1" "/CN=$2" "subjectAltName=$3"; }
client_certificate() { certificate "$1" "$2" extendedKeyUsage=clientAuth; }

# certificate NAME SUBJECT EXTENSION
certificate() {
  local pki=$state/pki
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "$2" \
    -keyout "$pki/$1.key" -out "$pki/$1.csr" 2>/dev/null
  openssl x509 -req -in "$pki/$1.csr" -CA "$pki/ca.crt" -CAkey "$pki/ca.key" -CAcreateserial -days 365 \
    -extfile <(echo "$3") -out "$pki/$1.crt" 2>/dev/null
  rm "$pki/$1.csr"
}

# kubeconfig NAME: with the certificate of that name, all in one file.
kubeconfig() {
  local pki=$state/pki
  cat > "$state/$1.kubeconfig" <<YAML
apiVersion: v1
kind: Config
current-context: test
contexts: [{name: test, context: {cluster: test, user: $1}}]
clusters:
  - name: test
    cluster: {server: "$api", certificate-authority-data: $(base64 -w0 "$pki/ca.crt")}
users:
  - name: $1
    user:
      client-certificate-data: $(base64 -w0 "$pki/$1.crt")
      client-key-data: $(base64 -w0 "$pki/$1.key")
YAML
}
