/** For `source <(kubectl podcap completion zsh)`. kubectl's own completion goes on as before. */
export const zshCompletion = String.raw`# Completion of kubectl podcap in zsh. In ~/.zshrc, after compinit and the completion of kubectl:
#   source <(kubectl podcap completion zsh)

# $1: how many words the program has, kubectl-podcap or kubectl podcap.
__kubectl_podcap_words() {
  local output line
  local -a given candidates
  given=("${'$'}{(@Q)words[$1 + 1,CURRENT]}")
  output=$(kubectl-podcap __complete "${'$'}{(@)given}" 2>/dev/null) || return 1
  [[ $PREFIX == -*=* ]] && compset -P '*='
  local directive=${'$'}{output##*:}
  if [[ $directive == 0 ]]; then
    _files
    return
  fi
  for line in "${'$'}{(@f)output}"; do
    [[ $line == :* || -z $line ]] && continue
    local value=${'$'}{line%%$'\t'*}
    if [[ $line == *$'\t'* ]]; then
      candidates+=("${'$'}{value//:/\\:}:${'$'}{line#*$'\t'}")
    else
      candidates+=("${'$'}{value//:/\\:}")
    fi
  done
  local -a space
  [[ $directive == 6 ]] && space=(-S '')
  _describe -t values 'kubectl podcap' candidates $space
}

__kubectl_podcap() {
  __kubectl_podcap_words 1
}

__kubectl_podcap_kubectl() {
  if [[ $words[2] == podcap ]] && ((CURRENT > 2)); then
    __kubectl_podcap_words 2
  elif [[ -n $__kubectl_podcap_others ]]; then
    $__kubectl_podcap_others "$@"
  fi
}

typeset -g __kubectl_podcap_others=$_comps[kubectl]
[[ $__kubectl_podcap_others == __kubectl_podcap_kubectl ]] && __kubectl_podcap_others=
compdef __kubectl_podcap_kubectl kubectl
compdef __kubectl_podcap kubectl-podcap
`;
