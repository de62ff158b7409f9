#!/usr/bin/env bash
# What a virtual machine of ring 3 starts from: Debian's stock kernel, a small first
# file system that finds the disk, and a root file system with systemd on it. Nothing of
# it is installed here. Prints the folder that holds `kernel`, `initrd` and `root.ext4`.
#
#   image.sh CACHE PROGRAM...    the programs' libraries come along, the programs do not
#
# The root file system is copied from this machine's own packages, file by file as dpkg
# lists them: nothing to download, and the libraries are those that the programs were
# linked with. Only the kernel is fetched. What has been made is kept in CACHE under the
# hash of all that went into it.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
cache=$1
shift
programs=("$@")

die() {
    printf 'ring 3: %s\n' "$*" >&2
    exit 1
}

# systemd, what the scenarios call, the package's own tools, and Node for an example; their
# dependencies are found. One image serves all scenarios.
packages=(systemd libc-bin bash dash coreutils util-linux mount grep sed findutils procps
    base-files base-passwd python3-minimal libpython3-stdlib ca-certificates tzdata)
for package in dpkg init-system-helpers perl-base tar diffutils curl iproute2 nodejs; do
    # What is no package of this machine is left out.
    ! dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed ||
        packages+=("$package")
done
# Of the kernel's modules, in the order in which they are loaded.
boot_modules=(virtio_ring virtio virtio_pci_legacy_dev virtio_pci_modern_dev virtio_pci
    virtio_blk virtio_console crc16 mbcache jbd2 crc32c_generic ext4)

kernel_package() {
    apt-cache depends linux-image-cloud-amd64 2>/dev/null |
        sed -n 's/^ *Depends: \(linux-image-[0-9][^ ]*\)$/\1/p' | head -n 1
}

# A static program has none, and ldd calls that a failure.
libraries() { (ldd "${programs[@]}" 2>/dev/null || true) | sed -n 's/.*=> \(\/[^ ]*\).*/\1/p' | sort -u; }

# Of alternatives the one that is here.
installed_closure() {
    # shellcheck disable=SC2016  # dpkg-query's own names
    apt-cache depends --recurse --no-recommends --no-suggests --no-conflicts --no-breaks \
        --no-replaces --no-enhances "${packages[@]}" 2>/dev/null | grep '^[a-z]' | sort -u |
        xargs dpkg-query -W -f='${db:Status-Status} ${binary:Package} ${Version}\n' 2>/dev/null |
        sed -n 's/^installed //p' || true # dpkg-query complains of those that are not here
}

key() {
    {
        cat "$here"/{image.sh,init,ring3.service}
        apt-cache policy "$kernel" | grep Candidate
        printf '%s\n' "$closure"
        libraries | xargs stat -L -c '%n %s %Y'
    } | sha256sum | cut -c -16
}

make_kernel() {
    local release
    (cd "$work" && apt-get -qq -o APT::Sandbox::User=root download "$kernel" >&2 &&
        dpkg -x "$kernel"_*.deb package) ||
        die "the package '$kernel' cannot be downloaded; see that 'apt-get update' works here"
    release=$(basename "$work"/package/lib/modules/*)
    cp "$work/package/boot/vmlinuz-$release" "$made/kernel"
    modules=$work/package/lib/modules/$release
}

# A shell, the modules on the way to the disk, and a script.
make_initrd() {
    local name file
    mkdir -p "$work"/initrd/{bin,proc,sys,dev,root,modules}
    cp "$(command -v busybox)" "$work/initrd/bin/busybox"
    ln -s busybox "$work/initrd/bin/sh"
    install -m 755 "$here/init" "$work/initrd/init"
    for name in "${boot_modules[@]}"; do
        file=$(find "$modules/kernel" -name "$name.ko*" -o -name "${name//_/-}.ko*")
        [[ -z $file ]] || cp "$file" "$work/initrd/modules/$name.ko"
        printf '%s\n' "$name" >>"$work/initrd/modules/order"
    done
    (cd "$work/initrd" && find . | cpio --quiet -o -H newc | gzip -1) >"$made/initrd"
}

# Documentation and translations stay here, what dpkg does not list is made by hand.
make_root() {
    local root=$work/root
    mkdir -p "$root"/{usr/{bin,sbin,lib,lib64},proc,sys,dev,run,tmp,root,job,etc,var/lib}
    local top
    for top in bin sbin lib lib64; do ln -s usr/$top "$root/$top"; done
    {
        cut -d' ' -f1 <<<"$closure" | xargs dpkg -L
        libraries
        libraries | xargs readlink -f
        find /usr/lib/python3* -name '*.pyc' # made when the package was installed
    } 2>/dev/null | sort -u |
        grep -vE '^/(bin|sbin|lib|lib32|lib64|libx32|\.)?$|^/usr/share/(doc|man|locale|lintian|bash-completion|zsh|info)/|^/(dev|proc|sys|run)/' \
            >"$work/files"
    tar -C / --no-recursion --ignore-failed-read -cf - --files-from <(sed 's|^/||' "$work/files") \
        2>"$work/absent" | tar -C "$root" --keep-directory-symlink -xf -
    cp -a /etc/ssl/certs "$root/etc/ssl/"
    cp "$root/usr/share/base-passwd/passwd.master" "$root/etc/passwd"
    cp "$root/usr/share/base-passwd/group.master" "$root/etc/group"
    printf 'ring3\n' >"$root/etc/hostname"
    printf '127.0.0.1 localhost\n' >"$root/etc/hosts"
    : >"$root/etc/fstab"
    printf '%032d\n' 3 >"$root/etc/machine-id"
    ldconfig -r "$root"
    # Of what systemd starts by itself only the journal, which our units write to.
    find "$root"/lib/systemd/system/*.wants/ -mindepth 1 ! -name 'systemd-journald*' -delete
    install -D -m 644 "$here/ring3.service" "$root/etc/systemd/system/ring3.service"
    truncate -s 1G "$made/root.ext4"
    mkfs.ext4 -q -O ^has_journal -d "$root" "$made/root.ext4"
}

[[ $(dpkg --print-architecture) == amd64 ]] || die 'this ring is for amd64'
kernel=$(kernel_package)
if [[ -z $kernel ]]; then # lists of packages may never have been fetched
    apt-get -q update >&2
    kernel=$(kernel_package)
fi
[[ -n $kernel ]] || die "apt knows no package 'linux-image-cloud-amd64'; is this Debian?"
closure=$(installed_closure)
image=$cache/ring3-$(key)
if [[ ! -d $image ]]; then
    mkdir -p "$cache"
    rm -rf "$cache"/ring3-* # of other times; no two are wanted at once
    work=$(mktemp -d "$cache/making.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    made=$work/made
    mkdir "$made"
    make_kernel
    make_initrd
    make_root
    mv "$made" "$image"
fi
printf '%s\n' "$image"
