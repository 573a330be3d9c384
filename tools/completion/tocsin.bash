# Completion of tocsin for bash. The words come from the command's own table (`tocsin complete WORDS...`); what they do not cover is
# completed as a file name.
_tocsin()
{
        mapfile -t COMPREPLY < <("${COMP_WORDS[0]}" complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
        [ ${#COMPREPLY[@]} -gt 0 ] || compopt -o default
}
complete -F _tocsin tocsin
