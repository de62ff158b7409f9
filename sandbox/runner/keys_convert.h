// Between the forms of messages and those of the vault, for the files of keys.h.
#pragma once

#include <utility>

#include "sandbox/ipc/key_messages.h"
#include "vault/keeper.h"

namespace berth::runner {

inline constexpr const char* kUnknownScope =
    "the scope is of a kind that this program does not know";

// The codec takes any number for an enum.
inline bool is_known(ipc::ScopeKind kind) {
    switch (kind) {
        case ipc::ScopeKind::install:
        case ipc::ScopeKind::tenant:
        case ipc::ScopeKind::integration: return true;
    }
    return false;
}

inline vault::Scope to_vault(const ipc::Scope& scope) {
    return {static_cast<vault::ScopeKind>(scope.kind), scope.id};
}

inline vault::WrappedKey to_vault(const ipc::WrappedKey& key) { return {key.id, key.envelope}; }

inline vault_open::FieldRef to_vault(const ipc::FieldRef& where) {
    return {to_vault(where.scope), where.connector_id, where.field, where.version};
}

inline ipc::WrappedKey from_vault(vault::WrappedKey key) {
    return {key.id, std::move(key.envelope)};
}

inline bool same(const ipc::Scope& a, const ipc::Scope& b) {
    return a.kind == b.kind && a.id == b.id;
}

}  // namespace berth::runner
