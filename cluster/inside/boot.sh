#!/bin/bash
# A machine's pid 1 until it execs tini: records its pid, builds the machine's view of the file system, waits for its
# network and starts the supervisor. When pid 1 ends, the kernel ends everything on the machine.
set -eu

# /proc is still that of the root namespace, so this is the pid there. Fields 1 and 22 of proc_pid_stat(5).
read -r -a stat </proc/self/stat
echo "${stat[0]} ${stat[21]}" >"$STATE/$MACHINE/pid1.new"
mv "$STATE/$MACHINE/pid1.new" "$STATE/$MACHINE/pid1"

hostname "$MACHINE"
mount -t proc proc /proc
if [ "$ROLE" = node ]; then
  . "$INSIDE/node-mounts.sh"
fi

until ip -4 -oneline address show up | grep -q "inet $ADDRESS/"; do
  sleep 0.05
done
exec tini -- bash "$INSIDE/$ROLE.sh"
