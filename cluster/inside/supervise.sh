# Sourced by the supervisors.

# keep <name> <command...>: runs a command in the background and restarts it whenever it ends, as systemd would. While
# it runs, its pid is in $LOGS/<name>.pid; while $LOGS/<name>.held exists, it is not started (component-control.ts).
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
      echo "podcap-cluster: $name ended with $code, restarting it" >>"$LOGS/$name.log"
      sleep 1
    done
  ) &
}

# await_api_server <kubeconfig>: a kubelet that starts before the API server is ready takes up to 137 s until it retries
# to create its CSINode.
await_api_server() {
  until kubectl --kubeconfig "$1" --request-timeout 2s get --raw /readyz >/dev/null 2>&1; do
    sleep 0.2
  done
}
