/**
 * For `eval "$(kubectl podcap completion bash)"`; the bash 3.2 of macOS cannot source a process substitution. It is
 * written for that one, too: without negative subscripts and mapfile, and compopt only where it exists. kubectl's own completion goes on as before; if it is loaded later, it asks
 * kubectl_complete-podcap.
 */
export const bashCompletion = String.raw`# Completion of kubectl podcap in bash. In ~/.bashrc, after that of kubectl:
#   eval "$(kubectl podcap completion bash)"

# $1: how many words the program has, kubectl-podcap or kubectl podcap.
__kubectl_podcap_words() {
  local words=() last=-1 at word
  # bash has split the words at = and :
  for ((at = $1; at <= COMP_CWORD; at++)); do
    word=${'$'}{COMP_WORDS[at]}
    if ((last >= 0)) && [[ $word == [=:]* || ${'$'}{words[last]} == *[=:] ]]; then
      words[last]+=$word
    else
      words[++last]=$word
    fi
  done
  local output line current=${'$'}{words[last]}
  output=$(kubectl-podcap __complete "${'$'}{words[@]}" 2>/dev/null) || return 0
  [[ $current == -*=* ]] && current=${'$'}{current#*=}
  # What of the word bash does not replace.
  local kept=
  [[ $COMP_WORDBREAKS == *:* && $current == *:* ]] && kept=${'$'}{current%"${'$'}{current##*:}"}
  COMPREPLY=()
  case ${'$'}{output##*:} in
    0)
      compopt -o filenames 2>/dev/null
      while IFS= read -r line; do COMPREPLY+=("$line"); done < <(compgen -f -- "$current")
      return 0
      ;;
    6) compopt -o nospace 2>/dev/null ;;
  esac
  while IFS=$'\t' read -r line _; do
    [[ $line == "$current"* && $line != :* ]] && COMPREPLY+=("${'$'}{line#"$kept"}")
  done <<<"$output"
  return 0
}

__kubectl_podcap() {
  __kubectl_podcap_words 1
}

__kubectl_podcap_kubectl() {
  if [[ ${'$'}{COMP_WORDS[1]} == podcap ]] && ((COMP_CWORD > 1)); then
    __kubectl_podcap_words 2
  elif [[ -n $__kubectl_podcap_others ]]; then
    "$__kubectl_podcap_others" "$@"
  fi
}

__kubectl_podcap_others=$(complete -p kubectl 2>/dev/null | sed -n 's/.*-F \([^ ]*\) .*/\1/p')
[[ $__kubectl_podcap_others == __kubectl_podcap_kubectl ]] && __kubectl_podcap_others=
[[ -z $__kubectl_podcap_others ]] && declare -F __start_kubectl >/dev/null && __kubectl_podcap_others=__start_kubectl
complete -o default -F __kubectl_podcap_kubectl kubectl
complete -F __kubectl_podcap kubectl-podcap
`;
