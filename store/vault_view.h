// What an administrator sees of the vault: counts, never a key.
#pragma once

#include "model/vault.h"
#include "store/db.h"

namespace berth {

VaultView look_at_vault(Db& db);

}  // namespace berth
