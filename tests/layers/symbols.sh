#!/usr/bin/env bash
# No function has the same name and signature in two libraries: the linker would take
# either, and say nothing. Once it took a parser of something else for requests' targets.
# The launcher's library is left out: it has its own build of what it shares.
set -euo pipefail
build=$1

libraries() {
    find "$build" -name 'libberth_*.a' -not -path "$build/tests/*" -not -path "$build/bench/*" \
        -not -name 'libberth_launcher.a' | sort
}

defined() { nm -A --defined-only "$@" 2>/dev/null | awk '/ T / { print $NF }' | sort; }

count=$(libraries | wc -l)
((count > 15)) || {
    echo "only $count libraries in $build: is it built?" >&2
    exit 1
}
# The check's own check: a library beside its copy has every name twice.
one=$(libraries | grep '/libberth_model.a$')
[[ -n $(defined "$one" "$one" | uniq -d) ]] || {
    echo "a library beside its copy: nothing was found" >&2
    exit 1
}
mapfile -t all < <(libraries)
twice=$(defined "${all[@]}" | uniq -d | c++filt)
if [[ -n $twice ]]; then
    echo "defined in more than one library:" >&2
    echo "$twice" >&2
    exit 1
fi
echo "$count libraries, $(defined "${all[@]}" | wc -l) functions, none twice"
