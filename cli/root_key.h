// Making a root key's file: `berth init` and `berth vault new-root`.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

#include "base/fd.h"

namespace berth {

struct Owner {
    static constexpr uid_t kUnchanged = static_cast<uid_t>(-1);
    uid_t uid = kUnchanged;
    gid_t gid = static_cast<gid_t>(-1);
};
// As given, else that of the named user, else unchanged. A given id's group is
// the user's own where there is such a user, else the same number.
Owner owner_of(std::optional<uid_t> given, const char* user);

// 32 random bytes as `name` in `dir`, complete or not at all, and never over a
// key that is there. Returns its id, by which copies can be told apart.
std::string make_root_key(const Fd& dir, const char* name, const Owner& owner);

}  // namespace berth
