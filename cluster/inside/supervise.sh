# Sourced by the supervisors.

# keep <name> <command...>: runs a command in the background and starts it again whenever it ends, as systemd would.
keep() {
  local name=$1
  shift
  (
    while :; do
      "$@" >>"$LOGS/$name.log" 2>&1 </dev/null && code=0 || code=$?
      echo "podcap-cluster: $name ended with $code, starting it again" >>"$LOGS/$name.log"
      sleep 1
    done
  ) &
}

# await_api_server <kubeconfig>: a kubelet that starts before the API server is ready tries its CSINode again only
# after up to 137 s.
await_api_server() {
  until kubectl --kubeconfig "$1" --request-timeout 2s get --raw /readyz >/dev/null 2>&1; do
    sleep 0.2
  done
}
