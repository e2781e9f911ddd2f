#!/bin/bash
# kubelet.sh <arguments...>: the kubelet, with these settings for itself alone. It wants them so, or sets them, for
# the whole kernel; and the kernel is the machine's. Only its view is other: a Pod with a user namespace may not
# mount a proc where something hides parts of it. Mounts go to and fro between the two views but for /proc.
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
