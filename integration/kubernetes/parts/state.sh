# Network namespace, lock, and the way back to nothing. A run that was interrupted leaves what `clean`, the
# first step of the next start, takes away.

make_network() {
  make_group
  ip netns add "$network"
  local inside=(nsenter --net=/run/netns/"$network")
  "${inside[@]}" ip link set lo up
  # The node's interface: a bridge without members, since not every kernel has the dummy type.
  "${inside[@]}" ip link add node0 type bridge
  "${inside[@]}" ip addr add "$node_address/24" dev node0
  "${inside[@]}" ip link set node0 up
  "${inside[@]}" ip route add default via "$node_address" dev node0
  "${inside[@]}" sysctl -qw net.ipv4.ip_forward=1
}

is_up() { [ -f "$state/up" ] && process_runs apiserver && process_runs etcd; }

# hold_lock: one run at a time; says who has it. The lock goes with the shell that holds it, however it ends.
hold_lock() {
  mkdir -p "$cache/clusters"
  exec 9>>"$cache/clusters/$name.lock"
  flock -n 9 || fail "another run has the cluster '$name': $(cat "$cache/clusters/$name.lock")"
  echo "process $$ since $(date '+%F %T')" > "$cache/clusters/$name.lock"
}

# inside COMMAND...: in the cluster's network, with what a client needs.
inside() { (exec_inside "$@"); }
exec_inside() {
  export KUBECONFIG=$state/admin.kubeconfig REGISTRY=$registry KRYPTON_TEST_CLUSTER=$name
  export SSL_CERT_FILE=$state/pki/trusted.crt PATH=$here:$programs:$cache/go-bin:$PATH
  # Helm and kubectl keep their caches with the cluster, not with the user.
  export HELM_CACHE_HOME=$state/helm HELM_CONFIG_HOME=$state/helm HELM_DATA_HOME=$state/helm
  exec nsenter --net=/run/netns/"$network" -- "$@" 9>&-
}

show_status() {
  if ! is_up; then echo "cluster $name: down"; return; fi
  echo "cluster $name: up; state in $state, network namespace $network"
  local part
  for part in $(parts_of_the_cluster); do
    if process_runs "$part"; then echo "  $part: process $(cut -d' ' -f1 "$state/run/$part.pid")"
    else echo "  $part: does not run"; fi
  done
  inside kubectl get nodes
}

# clean: ends all processes of the cluster and removes what it has on this machine. The control group knows
# every process: our own, pods, the runtime's shims, whatever an interrupted start left.
clean() {
  local round id
  for round in 1 2 3 4 5; do
    ! no_members || break
    for id in $(group_members); do kill -9 "$id" 2>/dev/null || true; done
    eventually 2 no_members || true
  done
  unmount_state
  [ ! -e "/run/netns/$network" ] || ip netns delete "$network"
  remove_groups
  # The kubelet links each container's log into this folder, wherever its own are.
  find /var/log/containers -type l -lname "$state/*" -delete 2>/dev/null || true
  rm -rf "$state"
}

no_members() { [ -z "$(group_members)" ]; }

unmount_state() {
  local point
  while read -r point; do umount -l "$point" || true; done \
    < <(cut -d' ' -f5 /proc/self/mountinfo | grep -F "$state/" | sort -r)
}

remove_groups() {
  local folder
  for folder in $(group_folders); do
    [ ! -d "$folder" ] || find "$folder" -depth -type d -exec rmdir {} + 2>/dev/null || true
  done
}
