#!/bin/sh
# start.sh <cgroup.procs file...>: enters the machine's cgroups, then starts the machine's pid 1 in new namespaces.
set -eu
for file in "$@"; do
  echo $$ >"$file"
done
exec unshare --net --mount --uts --ipc --pid --fork --kill-child --propagation private -- bash "$INSIDE/boot.sh"
