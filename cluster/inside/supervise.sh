# Sourced by the supervisors.

# keep <name> <command...>: runs a command in the background and starts it again whenever it ends, as systemd would.
# Its pid is in $LOGS/<name>.pid while it runs; while there is a $LOGS/<name>.held it is not started (component.ts).
keep() {
  local name=$1
  shift
  rm -f "$LOGS/$name.pid" "$LOGS/$name.held"
  (
    while :; do
      while [ -e "$LOGS/$name.held" ]; do
        sleep 0.1
      done
      "$@" >>"$LOGS/$name.log" 2>&1 </dev/null &
      echo $! >"$LOGS/$name.pid"
      wait $! && code=0 || code=$?
      rm -f "$LOGS/$name.pid"
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
