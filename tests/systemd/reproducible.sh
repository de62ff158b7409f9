#!/usr/bin/env bash
# What the package's bytes could depend on besides the source: the folder of the build and its
# day. A few files are compiled in a second folder and give the same bytes; no program tells
# where it was built; no source asks for the day. (Ring 2 packs twice; `./dev deb --twice`
# builds all of the release in two folders.)
#
#   reproducible.sh SOURCE BUILD
set -euo pipefail
source=$1 build=$2
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
failures=0
wrong() {
    printf 'FAIL  %s\n' "$*"
    failures=$((failures + 1))
}

if grep -rnE '__(DATE|TIME|TIMESTAMP)__' "$source"/{base,model,store,vault,scheduler,sandbox,source,connectors,control,daemon,cli}; then
    wrong 'a source asks for the time of the build'
fi

for program in berth berthd berth-runner berth-launcher berth-egress berth-call berth-oauth; do
    [[ $(nm "$build/bin/$program") != *__asan_init* ]] || continue # a sanitizer names files in its own way
    strip -o "$folder/stripped" "$build/bin/$program"
    if grep -qF "$source/" "$folder/stripped"; then wrong "'$program' tells where it was built"; fi
done

# Files that name themselves (assertions, sources of messages).
files=(base/assert.cpp base/file.cpp sandbox/launcher/cgroup.cpp)
other=$folder/another/and/longer/folder
mkdir -p "$other"
tar -C "$source" -cf - base model sandbox | tar -C "$other" -xf -
mkdir -p "$other/build/${build##*/}"
command_of() { # of the compiler alone, for FILE
    python3 - "$build/compile_commands.json" "$source/$1" <<'END'
import json, sys
print(next(e["command"] for e in json.load(open(sys.argv[1])) if e["file"] == sys.argv[2]))
END
}
compile_in_both() { # COMMAND
    local place
    for place in "$source" "$other"; do
        (cd "$place/build/${build##*/}" && sh -c "$(sed -E "s,.*ccache ,,; s, -f(no-)?sanitize[^ ]*,,g; s, -o [^ ]+, -o $folder/object,
            s,$source([ /=]|\$),$place\1,g" <<<"$1")")
        sha256sum <"$folder/object" >"$folder/sum-${#place}"
    done
}
for file in "${files[@]}"; do
    compile_in_both "$(command_of "$file")"
    cmp -s "$folder"/sum-"${#source}" "$folder"/sum-"${#other}" || wrong "'$file' has other bytes in another folder"
done

# The control: without the setting that leaves the folder out they differ.
compile_in_both "$(command_of base/assert.cpp | sed -E 's, -ffile-prefix-map=[^ ]+,,')"
if cmp -s "$folder"/sum-"${#source}" "$folder"/sum-"${#other}"; then wrong 'the control: a folder that gets in is not seen'; fi

((failures == 0)) && echo 'the same bytes'
