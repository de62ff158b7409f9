#!/usr/bin/env bash
# What rings 2 and 3 need first: `./dev deb`, which builds the release programs, packs them and has
# lintian look at the package. Where those rings cannot run it is left out.
set -euo pipefail
source=$(readlink -f "$(dirname "$0")/../..")
if ((EUID != 0)) && [[ -z ${CI:-} ]]; then
    echo 'rings 2 and 3 need root, and nothing else needs the package'
    exit 77
fi
exec "$source/dev" deb
