#!/bin/bash
# kubelet.sh <arguments...>: runs the kubelet with its own view of these sysctls. The kubelet requires or sets them for
# the whole kernel, which belongs to the host. Only the kubelet gets this view: a Pod with a user namespace may not
# mount a /proc that has anything mounted over it. All mounts but those below /proc propagate in both directions.
set -eu
mount --make-private /proc
mkdir -p /run/kubelet-settings
while read -r setting value; do
  file=/run/kubelet-settings/${setting//\//.}
  echo "$value" >"$file"
  mount --bind "$file" "/proc/sys/$setting"
done <<SETTINGS
vm/overcommit_memory 1
vm/panic_on_oom 0
kernel/panic 10
kernel/panic_on_oops 1
kernel/keys/root_maxkeys 1000000
kernel/keys/root_maxbytes 25000000
SETTINGS
exec kubelet "$@"
