// Landlock: a second, independent wall around the files. Read and execute everywhere,
// write only in the scratch space and to the device nodes.
#pragma once

namespace berth::launcher {

// The version that the running kernel speaks; 0: it has none.
int landlock_abi() noexcept;

// Restricts this process and its children for ever; no_new_privs must be set.
// `data` is a folder that may be written to besides; -1: none. It is mounted later, so it
// is known by itself and not by its path. 0, or an errno value. With ABI 0 there is
// nothing to do.
int restrict_paths(int abi, int data) noexcept;

}  // namespace berth::launcher
