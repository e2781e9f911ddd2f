# Sourced by boot.sh: a Node has its own folders wherever Kubernetes stores something, and the host's /usr.
OWN=$STATE/$MACHINE

# A new sysfs shows the links of this network namespace; the cgroup tree stays that of the host.
mkdir -p "$OWN/cgroup"
mount --rbind /sys/fs/cgroup "$OWN/cgroup"
mount -t sysfs sysfs /sys
mount --move "$OWN/cgroup" /sys/fs/cgroup

# /etc is an overlay: the Node's own files over the host's.
mkdir -p "$OWN/etc" "$OWN/etc.work"
mount -t overlay -o "lowerdir=/etc,upperdir=$OWN/etc,workdir=$OWN/etc.work" etc /etc

mount -t tmpfs -o mode=755 run /run
mkdir -p /run/netns /run/lock

mkdir -p "$OWN"/opt/podcap/{bin,inside} "$OWN"/var/{lib,log} "$OWN/tmp"
chmod 1777 "$OWN/tmp"
mount --bind "$STATE/bin" "$OWN/opt/podcap/bin"
mount --bind "$INSIDE" "$OWN/opt/podcap/inside"
mount --rbind "$OWN/opt" /opt
mount --bind "$OWN/tmp" /tmp
mount --bind "$OWN/var/log" /var/log
mount --bind "$OWN/var/lib" /var/lib # hides $STATE: from here on, everything is used from /opt/podcap
INSIDE=/opt/podcap/inside
PATH=/opt/podcap/bin:/usr/sbin:/usr/bin:/sbin:/bin
unset STATE OWN

# Otherwise a Pod's HostToContainer mount fails: "is mounted on / but it is not a shared or slave mount".
mount --make-rshared /
