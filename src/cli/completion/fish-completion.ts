/** For `kubectl podcap completion fish | source`. fish adds it to kubectl's own completion. */
export const fishCompletion = String.raw`# Completion of kubectl podcap in fish. In ~/.config/fish/config.fish:
#   kubectl podcap completion fish | source

# How many words the program has, kubectl-podcap or kubectl podcap, is the argument.
function __kubectl_podcap_words
    set -l given (commandline -opc)
    set -l current (commandline -ct)
    set -e given[1..$argv[1]]
    set -l lines (kubectl-podcap __complete $given "$current" 2>/dev/null)
    test (count $lines) -gt 0; or return
    # fish compares with the whole word.
    set -l before (string match -r -- '^--[^=]+=' $current)
    if test $lines[-1] = :0
        __fish_complete_path (string replace -r -- '^--[^=]+=' '' $current)
        return
    end
    set -e lines[-1]
    for line in $lines
        echo -- "$before$line"
    end
end

function __kubectl_podcap_is_next
    set -l given (commandline -opc)
    test (count $given) -ge 2; and test $given[2] = podcap
end

complete -c kubectl-podcap -f -a '(__kubectl_podcap_words 1)'
complete -c kubectl -n __kubectl_podcap_is_next -f -a '(__kubectl_podcap_words 2)'
`;
