#!/bin/bash
# prerequisites.sh <node|check|cluster|image|docker|test|window|bench>...: makes sure that this machine has what these
# groups need. It installs missing Debian packages and node_modules, and prints one line for everything else that is
# missing. If nothing is missing, it is quick and prints nothing.
#
#   node     what only runs a script: Node and node_modules
#   check    format, lint, types, C analysis, unit tests: Node, clang and clang-format
#   cluster  the cluster: root, kernel features, Go, Debian packages
#   image    the image: docker, or the packages that build an image without it
#   docker   image, and a Docker engine that a test can start
#   test     check, cluster, image, and the programs that tests use
#   window   a screen without hardware, and the Wireshark whose window a test opens on it
#   bench    cluster, image, and the programs that the benchmarks compare
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

main() {
  local group
  for group in "$@"; do
    case $group in
      node) need_node ;;
      check) need_node && need_packages "${CHECK_PACKAGES[@]}" ;;
      cluster) need_node && need_machine && need_go && need_packages "${CLUSTER_PACKAGES[@]}" ;;
      image) need_node && need_image_builder ;;
      docker) main cluster && need_packages "${IMAGE_PACKAGES[@]}" "${DOCKER_PACKAGES[@]}" ;;
      test) main check cluster image && need_packages "${TEST_PACKAGES[@]}" && need_arm64_compiler ;;
      window) need_packages "${WINDOW_PACKAGES[@]}" ;;
      bench) main cluster image && need_packages "${BENCH_PACKAGES[@]}" ;;
      *) missing "a group named $group: prerequisites.sh has node, check, cluster, image, docker, test, window and bench" ;;
    esac
  done
}

# <Debian package>=<proof that it is installed, in whatever way>: a command or a file.
CHECK_PACKAGES=(clang=clang clang-format=clang-format libc6-dev=/usr/include/stdio.h)
CLUSTER_PACKAGES=(
  catatonit=catatonit containernetworking-plugins=/usr/lib/cni/bridge conntrack=conntrack git=git gcc=gcc
  iproute2=ip iptables=iptables libc6-dev=/usr/include/stdio.h libseccomp-dev=/usr/include/seccomp.h make=make
  nftables=nft openssl=openssl pkg-config=pkg-config procps=sysctl tini=tini util-linux=setpriv
)
IMAGE_PACKAGES=(buildah=buildah debootstrap=debootstrap)
DOCKER_PACKAGES=(docker.io=dockerd)
TEST_PACKAGES=(
  bash-completion=/usr/share/bash-completion/bash_completion faketime=faketime fish=fish
  libpcap-dev=/usr/include/pcap/pcap.h mandoc=mandoc shellcheck=shellcheck tcpdump=tcpdump tshark=tshark
  wireshark-common=dumpcap zsh=zsh
)
WINDOW_PACKAGES=(wireshark=wireshark xdotool=xdotool xvfb=Xvfb)
ARM64_PACKAGES=(
  gcc-aarch64-linux-gnu=aarch64-linux-gnu-gcc libc6-dev-arm64-cross=/usr/aarch64-linux-gnu/include/stdio.h
)
BENCH_PACKAGES=(
  chromium=chromium tcpdump=tcpdump tcpslice=tcpslice time=/usr/bin/time tshark=tshark util-linux=prlimit
  wireshark-common=mergecap
)

PROBLEMS=()
missing() {
  PROBLEMS+=("$1")
}

say() {
  echo "prerequisites: $1" >&2
}

need_node() {
  local found
  found=$(node --version 2>/dev/null) || found=none
  if ! at_least "${found#v}" 20 || ! command -v npm >/dev/null; then
    missing "Node 20 or newer with npm (found: $found): install nodejs and npm, or see nodejs.org/en/download"
    return
  fi
  need_node_modules
}

# Not `npm ci`: it requires the packages of every platform in the lock file, and some registries have only those for
# Linux.
need_node_modules() {
  local wanted stamp=node_modules/.podcap-installed
  wanted=$(cat package.json package-lock.json | sha256sum)
  if [ -e "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ]; then
    return
  fi
  say 'installing node_modules with npm'
  if npm install --no-save --no-audit --no-fund --loglevel=error >&2; then
    echo "$wanted" >"$stamp"
  else
    missing 'node_modules: npm install failed; see its messages above'
  fi
}

need_go() {
  local wanted found
  wanted=$(sed -n 's/^go //p' cluster/modules/*/go.mod | sort -V | tail -n 1)
  # In the folder of a module, an older Go may download the version that the module requires.
  found=$(cd cluster/modules/containerd && go env GOVERSION 2>/dev/null) || found=none
  at_least "${found#go}" "$wanted" ||
    missing "Go $wanted or newer on PATH (found: $found): see go.dev/doc/install"
}

need_machine() {
  [ "$(uname -s)" = Linux ] || missing 'Linux: the cluster runs in Linux namespaces'
  if [ "$(id -u)" != 0 ]; then
    missing 'root: run this as root or with sudo'
    return
  fi
  need_packages "${CLUSTER_PACKAGES[@]}"
  need_kernel 'namespaces' unshare --net --mount --uts --ipc --pid --fork true
  need_kernel 'veth' unshare --net ip link add probe0 type veth peer name probe1
  need_kernel 'bridge' unshare --net ip link add probe0 type bridge
  need_kernel 'nf_tables' unshare --net nft add table ip probe
  need_kernel 'cgroups (a memory controller under /sys/fs/cgroup)' has_memory_controller
  need_kernel 'overlay, on the file system of /var/lib' can_overlay
}

# need_kernel <feature> <command that needs it...>
need_kernel() {
  local feature=$1
  shift
  "$@" >/dev/null 2>&1 || missing "kernel feature: $feature; load its module, or use a kernel that has it"
}

has_memory_controller() {
  grep -qs memory /sys/fs/cgroup/cgroup.controllers || grep -q '^cgroup [^ ]* cgroup .*memory' /proc/self/mounts
}

can_overlay() {
  local folder result=0
  folder=$(mktemp -d /var/lib/podcap-prerequisites.XXXXXX)
  mkdir "$folder"/{lower,upper,work,all}
  unshare --mount mount -t overlay -o "lowerdir=$folder/lower,upperdir=$folder/upper,workdir=$folder/work" \
    probe "$folder/all" || result=1
  rm -r "$folder"
  return "$result"
}

need_image_builder() {
  docker info >/dev/null 2>&1 || need_packages "${IMAGE_PACKAGES[@]}"
}

# On arm64 itself, the compiler of Debian's gcc has this name too.
need_arm64_compiler() {
  [ "$(uname -m)" = aarch64 ] || need_packages "${ARM64_PACKAGES[@]}"
}

# need_packages <package=proof...>: installs the packages whose proof does not exist.
need_packages() {
  local pair absent=()
  for pair in "$@"; do
    command -v "${pair#*=}" >/dev/null || [ -e "${pair#*=}" ] || absent+=("${pair%%=*}")
  done
  if [ ${#absent[@]} -eq 0 ]; then
    return
  elif ! command -v apt-get >/dev/null; then
    missing "what Debian has in the packages ${absent[*]}: install it with the package manager of this system"
  elif [ "$(id -u)" != 0 ]; then
    missing "the Debian packages ${absent[*]}: install them, or run this as root or with sudo"
  else
    install_packages "${absent[@]}"
  fi
}

install_packages() {
  say "installing ${#} Debian packages: $*"
  local log
  log=$(mktemp)
  if ! apt_install "$log" "$@"; then
    say 'the package lists are missing or out of date: running apt-get update'
    apt-get update >"$log" 2>&1 && apt_install "$log" "$@" || {
      tail -n 20 "$log" >&2
      missing "the Debian packages $*: apt-get install failed; see its messages above"
    }
  fi
  rm -f "$log"
}

apt_install() {
  local log=$1
  shift
  DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends "$@" 2>&1 | tee "$log" |
    sed --unbuffered -n 's/^\(Setting up\|Need to get\)/  &/p' >&2
}

# at_least <version> <least version>
at_least() {
  [ "$1" != none ] && [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]
}

main "$@"
if [ ${#PROBLEMS[@]} -gt 0 ]; then
  printf 'missing: %s\n' "${PROBLEMS[@]}" >&2
  exit 1
fi
