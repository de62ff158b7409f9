#!/bin/sh
# Makes berth.conf(5): the page's own text, with the settings of the file in place of its
# line '@SETTINGS@', so that page and file cannot differ.
set -eu
page=$1 settings=$2
sed '/^@SETTINGS@$/,$d' "$page"
awk '
    function flush() {
        if (names == "") { text = ""; return }
        printf "%s\n\t%s\n\n", names, text
        names = ""; text = ""
    }
    function escape(line) { gsub(/[_*\\]/, "\\\\&", line); gsub(/`/, "", line); return line }
    /^$/ { flush(); next }
    /^(# )?[a-z_]+(\.[-a-z*]+)? = / {
        line = $0; sub(/^# /, "", line)
        names = names (names == "" ? "" : "++\n") "*" escape(line) "*"
        next
    }
    { line = $0; sub(/^# ?/, "", line); text = text (text == "" ? "" : " ") escape(line) }
    END { flush() }
' "$settings"
sed '1,/^@SETTINGS@$/d' "$page"
