// The root key's file: made once by `berth init`, read once by berth-runner; or the
// credential that systemd hands it instead.
#pragma once

#include <sys/types.h>

#include <filesystem>

#include "base/error.h"
#include "vault/keyring.h"

namespace berth::vault {

// Writes 32 random bytes to a new file with mode 0400 and syncs it. conflict when
// something is there: a root key is never overwritten.
Result<void> make_root_key_file(const std::filesystem::path& path);

// Reads it. Refused, each with its cure: a link, another kind of file, another
// owner, bits for group or others, a second name (hard link), another size than 32
// bytes, a constant content, and any place below `state_dir`, since whoever steals a
// copy of the database must not get its key along with it.
Result<RootKey> load_root_key(const std::filesystem::path& path, uid_t expected_uid,
                              const std::filesystem::path& state_dir);

// The same from a systemd credential: a file that the service manager has put into a
// folder of this service's own, with an owner and a mode of its choice. Refused: a link,
// another kind of file, bits for others, another owner than root and `own_uid`, another
// size, a constant content.
Result<RootKey> load_root_key_credential(const std::filesystem::path& path, uid_t own_uid);

}  // namespace berth::vault
