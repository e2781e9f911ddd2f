#!/bin/bash
# The supervisor of the control plane.
set -eu
. "$INSIDE/supervise.sh"
CONTROL=$STATE/control
PKI=$CONTROL/pki
LOGS=$CONTROL/log

# No fsync: after a power cut of the real machine the cluster is rebuilt anyway.
keep etcd etcd \
  --name control --data-dir "$CONTROL/etcd" --unsafe-no-fsync --log-level warn \
  --listen-client-urls http://127.0.0.1:2379 --advertise-client-urls http://127.0.0.1:2379 \
  --listen-peer-urls http://127.0.0.1:2380 --initial-advertise-peer-urls http://127.0.0.1:2380 \
  --initial-cluster control=http://127.0.0.1:2380

keep kube-apiserver kube-apiserver \
  --etcd-servers http://127.0.0.1:2379 \
  --advertise-address "$ADDRESS" --secure-port 6443 \
  --service-cluster-ip-range "$SERVICE_CIDR" \
  --authorization-mode Node,RBAC --enable-admission-plugins NodeRestriction --allow-privileged \
  --client-ca-file "$PKI/ca.crt" \
  --tls-cert-file "$PKI/apiserver.crt" --tls-private-key-file "$PKI/apiserver.key" \
  --service-account-issuer https://kubernetes.default.svc.cluster.local \
  --service-account-key-file "$PKI/sa.pub" --service-account-signing-key-file "$PKI/sa.key" \
  --kubelet-preferred-address-types InternalIP \
  --kubelet-certificate-authority "$PKI/ca.crt" \
  --kubelet-client-certificate "$PKI/apiserver-kubelet-client.crt" \
  --kubelet-client-key "$PKI/apiserver-kubelet-client.key" \
  --enable-aggregator-routing \
  --requestheader-client-ca-file "$PKI/front-proxy-ca.crt" --requestheader-allowed-names front-proxy-client \
  --requestheader-username-headers X-Remote-User --requestheader-group-headers X-Remote-Group \
  --requestheader-extra-headers-prefix X-Remote-Extra- --requestheader-uid-headers X-Remote-Uid \
  --proxy-client-cert-file "$PKI/front-proxy-client.crt" --proxy-client-key-file "$PKI/front-proxy-client.key"

await_api_server "$CONTROL/controller-manager.conf"

# Each Node has a fixed Pod CIDR (bootstrap-objects.ts). None is allocated here, so thousands of fake Nodes use none up.
keep kube-controller-manager kube-controller-manager \
  --kubeconfig "$CONTROL/controller-manager.conf" --leader-elect=false \
  --use-service-account-credentials --service-account-private-key-file "$PKI/sa.key" \
  --root-ca-file "$PKI/ca.crt" \
  --cluster-signing-cert-file "$PKI/ca.crt" --cluster-signing-key-file "$PKI/ca.key"

keep kube-scheduler kube-scheduler --kubeconfig "$CONTROL/scheduler.conf" --leader-elect=false

wait
