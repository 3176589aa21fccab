# Completion of gopxeboot(8) for bash. What there is it asks gopxeboot's help.
_gopxeboot() {
	local word=${COMP_WORDS[COMP_CWORD]} command=${COMP_WORDS[1]}
	case $word in
	-*)
		case $command in
		-*) command=--help ;;
		*) command="help $command" ;;
		esac
		# shellcheck disable=SC2086
		COMPREPLY=($(compgen -W "$({ gopxeboot $command 2>/dev/null || gopxeboot --help; } | sed -n '/^  -/p' | grep -o -- '--[a-z0-9-]*')" -- "$word"))
		;;
	*)
		COMPREPLY=()
		[ "$COMP_CWORD" != 1 ] || COMPREPLY=($(compgen -W "$(gopxeboot help | sed -n 's/^  \([a-z]\{3,8\}\)  .*/\1/p')" -- "$word"))
		;;
	esac
}
complete -o default -F _gopxeboot gopxeboot
