#!/bin/bash
# A machine's pid 1, until tini takes its place: says who it is, makes its own view of the file system, waits for
# its network and hands over to the supervisor. When pid 1 ends, the kernel ends everything on the machine.
set -eu

# /proc is still the outer one, so this is the pid that the outside knows. Fields 1 and 22 of proc_pid_stat(5).
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
