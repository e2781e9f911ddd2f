#!/bin/bash
# The supervisor of a Node.
set -eu
. "$INSIDE/supervise.sh"
LOGS=/var/log
KUBERNETES=/etc/kubernetes

sysctl -q -w net.ipv4.ip_forward=1
if [ -e /proc/sys/net/bridge/bridge-nf-call-iptables ]; then
  # Otherwise the answer of a Service's Pod on the same bridge arrives with its address not translated.
  sysctl -q -w net.bridge.bridge-nf-call-iptables=1
fi
# The host has no route to the Pods, so their packets to it get the address of their Node.
nft -f - <<RULES
table ip podcap-cluster {
  chain postrouting {
    type nat hook postrouting priority srcnat;
    ip saddr $POD_CIDR ip daddr $HOST_ADDRESS masquerade
  }
}
RULES

keep containerd containerd
until ctr version >/dev/null 2>&1; do
  sleep 0.05
done
ctr --namespace k8s.io images import "$INSIDE/pause.tar" >>"$LOGS/boot.log" 2>&1

await_api_server "$KUBERNETES/kubelet.conf"
keep kubelet unshare --mount --propagation unchanged -- bash "$INSIDE/kubelet.sh" \
  --config "$KUBERNETES/kubelet.yaml" --kubeconfig "$KUBERNETES/kubelet.conf" \
  --hostname-override "$MACHINE" --node-ip "$ADDRESS"
keep kube-proxy kube-proxy --config "$KUBERNETES/kube-proxy.yaml" --hostname-override "$MACHINE"

wait
