#!/bin/sh
# Makes README's pictures anew, in the lab of gopxeboot lab: console.svg and
# check.png. Needs script(1) and chromium. make pictures calls it.
set -eu
docs=$PWD/docs
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
vif=mac=00:16:3e:72:79:e3,bridge=xenbr0

# svg: the lines of standard input as they stand on a terminal.
svg() {
	sed 's/\r*$//; s/.*\r//; s/&/\&amp;/g; s/</\&lt;/g' | fold -w 100 | awk '
		{ line[NR] = $0 }
		END {
			printf "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"860\" height=\"%d\">\n", 20 * NR + 24
			print "<rect width=\"100%\" height=\"100%\" rx=\"6\" fill=\"#1d1f21\"/>"
			print "<g font-family=\"monospace\" font-size=\"14\" fill=\"#d7d7d7\" xml:space=\"preserve\">"
			for (i = 1; i <= NR; i++) printf "<text x=\"12\" y=\"%d\">%s</text>\n", 20 * i + 8, line[i]
			print "</g>\n</svg>"
		}'
}

# What xl create -c shows until the guest's kernel starts: a terminal, with
# libxl's command line for a bootloader.
build/gopxeboot lab -q -- script -qec "build/gopxeboot --args=console=hvc0 --output=$work/answer --output-format=simple0 \
	--output-directory=$work $vif /dev/null" /dev/null >"$work/console"
{
	echo '# xl create -c guest1.cfg'
	echo 'Parsing config from guest1.cfg'
	cat "$work/console"
} | svg >"$docs/console.svg"

# A guest that the lab has no configuration for.
build/gopxeboot lab -q -- build/gopxeboot check --report "$work/page.html" mac=00:16:3e:00:00:01,bridge=xenbr0 >/dev/null || true
chromium --headless --no-sandbox --disable-gpu --hide-scrollbars --window-size=900,700 --screenshot="$docs/check.png" "$work/page.html" 2>/dev/null
