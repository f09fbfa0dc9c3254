# The processes of the control plane and the node. Each runs in the cluster's network namespace and control
# group and is known by its id and the moment of its start, so that a reused id is never taken for it.

# start_process NAME COMMAND...
start_process() {
  local process=$1; shift
  ! process_runs "$process" || return 0
  (
    enter_group
    exec setsid nsenter --net=/run/netns/"$network" -- "$@" </dev/null 9>&- >>"$state/log/$process.log" 2>&1
  ) &
  local id=$!
  disown "$id"  # Else the shell of `run` tells how it ended.
  echo "$id $(started_at "$id")" > "$state/run/$process.pid"
}

# started_at ID: field 22 of its stat, after the name in brackets, which may hold blanks.
started_at() { sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d' ' -f20; }

process_runs() {
  local id moment
  [ -f "$state/run/$1.pid" ] || return 1
  read -r id moment < "$state/run/$1.pid"
  [ -n "$moment" ] && [ "$(started_at "$id")" = "$moment" ]
}

process_ended() { ! process_runs "$1"; }

# stop_process NAME: asks, waits, insists.
stop_process() {
  local id rest
  if process_runs "$1"; then
    read -r id rest < "$state/run/$1.pid"
    kill "$id" 2>/dev/null || true
    kill -CONT "$id" 2>/dev/null || true
    eventually 5 process_ended "$1" || kill -9 "$id" 2>/dev/null || true
  fi
  rm -f "$state/run/$1.pid"
}

# group_folders: the folder of the cluster's control group in each hierarchy that this kernel has.
group_folders() {
  if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
    echo "/sys/fs/cgroup/$group"
  else
    local hierarchy
    for hierarchy in /sys/fs/cgroup/*/; do echo "$hierarchy$group"; done
  fi
}

# make_group: `system` holds our own processes; the kubelet puts pods beside it. A group counts as one process
# against all others of a busy machine, so it gets the weight of many.
make_group() {
  local folder
  for folder in $(group_folders); do
    mkdir -p "$folder/system"
    set_if_there "$folder/cpu.shares" 32768  # The first version of control groups;
    set_if_there "$folder/system/cpu.shares" 4096
    set_if_there "$folder/cpu.weight" 3200  # the second.
    set_if_there "$folder/system/cpu.weight" 400
    if [ -f "$folder/system/cpuset.cpus" ] && [ ! -e /sys/fs/cgroup/cgroup.controllers ]; then
      local file
      for file in cpuset.cpus cpuset.mems; do
        cat "$(dirname "$folder")/$file" > "$folder/$file"
        cat "$folder/$file" > "$folder/system/$file"
      done
    fi
  done
}

set_if_there() { [ ! -f "$1" ] || echo "$2" > "$1"; }

# enter_group: the calling shell moves; what it starts inherits, the runtime's shims too.
enter_group() {
  local folder
  for folder in $(group_folders); do echo "$BASHPID" > "$folder/system/cgroup.procs"; done
}

# group_members: ids of all processes of the cluster, pods included.
group_members() {
  local folder
  for folder in $(group_folders); do
    [ ! -d "$folder" ] || find "$folder" -name cgroup.procs -exec cat {} + 2>/dev/null || true
  done | sort -un
}
