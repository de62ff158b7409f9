// Of the messages between berthd and berth-runner (messages.h), those about keys and what
// they seal: making and loading keys, sealing, checking MACs, rotation, manifests. Nothing
// here returns a plaintext.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/secret.h"
#include "sandbox/ipc/message_types.h"

namespace berth::ipc {

struct WrappedKey {
    std::uint32_t id = 0;  // a key-encryption key's term, or a data key's id
    std::string envelope;
    template <class V>
    void fields(V& v) {
        v(id, envelope);
    }
};

// berthd → runner: the key-encryption keys as stored. With none, the runner makes
// the first (term 1) and returns it wrapped by the root key.
struct LoadKeys {
    static constexpr auto kType = MessageType::load_keys;
    std::string install_id;  // 16 raw bytes
    std::vector<WrappedKey> keks;
    template <class V>
    void fields(V& v) {
        v(install_id, keks);
    }
};

struct KeysLoaded {
    static constexpr auto kType = MessageType::keys_loaded;
    bool ok = false;
    std::string why;                // when not: which key, and the cure; never key material
    std::vector<WrappedKey> fresh;  // made just now: to be stored before anything is sealed
    template <class V>
    void fields(V& v) {
        v(ok, why, fresh);
    }
};

enum class ScopeKind : std::uint32_t { install = 0, tenant = 1, integration = 2 };

// Whose key and whose field. The runner builds the associated data from this,
// which berthd derives from what the caller may do, never from a stored row.
struct Scope {
    ScopeKind kind = ScopeKind::tenant;
    std::int64_t id = 0;
    template <class V>
    void fields(V& v) {
        v(kind, id);
    }
};

struct NewDataKey {
    static constexpr auto kType = MessageType::new_data_key;
    std::uint64_t request = 0;
    Scope scope;
    std::uint32_t key_id = 0;  // chosen by the store, unique in the installation
    template <class V>
    void fields(V& v) {
        v(request, scope, key_id);
    }
};

struct DataKey {
    static constexpr auto kType = MessageType::data_key;
    std::uint64_t request = 0;
    std::string why;  // empty: it worked
    WrappedKey key;
    std::uint32_t kek_term = 0;
    template <class V>
    void fields(V& v) {
        v(request, why, key, kek_term);
    }
};

struct FieldRef {
    Scope scope;
    std::int64_t connector_id = 0;
    std::string field;
    std::uint64_t version = 0;
    template <class V>
    void fields(V& v) {
        v(scope, connector_id, field, version);
    }
};

struct Seal {
    static constexpr auto kType = MessageType::seal;
    std::uint64_t request = 0;
    WrappedKey data_key;
    FieldRef where;
    Secret plaintext;
    template <class V>
    void fields(V& v) {
        v(request, data_key, where, plaintext);
    }
};

struct Sealed {
    static constexpr auto kType = MessageType::sealed;
    std::uint64_t request = 0;
    std::string why;  // empty: it worked
    std::string envelope;
    template <class V>
    void fields(V& v) {
        v(request, why, envelope);
    }
};

// One secret of a run: the names it has in the environment (both spellings of a
// hyphenated connector) and where its value is.
struct RunSecret {
    std::vector<std::string> names;
    FieldRef where;
    WrappedKey data_key;
    std::string envelope;
    template <class V>
    void fields(V& v) {
        v(names, where, data_key, envelope);
    }
};

// ---- the list of a scope's secrets

struct ManifestEntry {
    std::int64_t connector_id = 0;
    std::string field;
    std::uint64_t version = 0;
    std::string tag;  // of its envelope, 16 bytes
    template <class V>
    void fields(V& v) {
        v(connector_id, field, version, tag);
    }
};

// All secrets of a scope, so that none can be put back to what it was: a MAC over the list
// and its counter, under a key that comes from the scope's data key. The counter is kept by
// the runner too, outside the store.
struct Manifest {
    Scope scope;
    WrappedKey data_key;
    std::uint64_t counter = 0;  // 0: there is none yet
    std::vector<ManifestEntry> entries;
    std::string mac;
    template <class V>
    void fields(V& v) {
        v(scope, data_key, counter, entries, mac);
    }
};

// ---- MACs of webhooks

enum class MacKind : std::uint32_t {
    hmac_sha256 = 0,
    hmac_sha1 = 1,
    hmac_sha512 = 2,
    token = 3,
    ecdsa_p256 = 4  // the key is the sender's public one
};
enum class MacKeyForm : std::uint32_t { raw = 0, base64 = 1, hex = 2 };

// berthd → runner: whether one of the candidates is the MAC of the message under a sealed
// key. Message in, yes or no out; in constant time.
struct CheckMac {
    static constexpr auto kType = MessageType::check_mac;
    std::uint64_t request = 0;
    std::vector<RunSecret> keys;  // any of them: a secret that is being replaced has two
    MacKind kind = MacKind::hmac_sha256;
    MacKeyForm key_form = MacKeyForm::raw;
    std::string key_prefix;  // taken off the key first
    std::string message;
    std::vector<std::string> candidates;  // raw bytes
    std::vector<Manifest> manifests;      // of the scopes of `keys`
    template <class V>
    void fields(V& v) {
        v(request, keys, kind, key_form, key_prefix, message, candidates, manifests);
    }
};

struct MacChecked {
    static constexpr auto kType = MessageType::mac_checked;
    std::uint64_t request = 0;
    bool right = false;
    std::string why;  // it could not be checked; empty: it was
    template <class V>
    void fields(V& v) {
        v(request, right, why);
    }
};

// ---- rotation of keys (docs/decisions/030-rotation.md). Envelopes in, envelopes out: what
// is opened on the way stays in the runner.

// berthd → runner: a key-encryption key of a new term, wrapped by the root key. Used from the
// next LoadKeys that has it on.
struct NewKek {
    static constexpr auto kType = MessageType::new_kek;
    std::uint64_t request = 0;
    std::uint32_t term = 0;
    template <class V>
    void fields(V& v) {
        v(request, term);
    }
};

struct KekMade {
    static constexpr auto kType = MessageType::kek_made;
    std::uint64_t request = 0;
    std::string why;  // empty: it worked
    WrappedKey key;
    template <class V>
    void fields(V& v) {
        v(request, why, key);
    }
};

// berthd → runner: wrap these anew under the current root key.
struct RewrapKeks {
    static constexpr auto kType = MessageType::rewrap_keks;
    std::uint64_t request = 0;
    std::vector<WrappedKey> keks;
    template <class V>
    void fields(V& v) {
        v(request, keks);
    }
};

struct ScopedKey {
    Scope scope;
    WrappedKey key;
    template <class V>
    void fields(V& v) {
        v(scope, key);
    }
};

// berthd → runner: wrap these anew under the newest key-encryption key.
struct RewrapDataKeys {
    static constexpr auto kType = MessageType::rewrap_data_keys;
    std::uint64_t request = 0;
    std::vector<ScopedKey> keys;
    template <class V>
    void fields(V& v) {
        v(request, keys);
    }
};

struct SealedAt {
    FieldRef where;
    std::string envelope;
    template <class V>
    void fields(V& v) {
        v(where, envelope);
    }
};

// berthd → runner: seal these, which are under `from`, under `to`. Both are of their scope.
struct Reseal {
    static constexpr auto kType = MessageType::reseal;
    std::uint64_t request = 0;
    WrappedKey from;
    WrappedKey to;
    std::vector<SealedAt> secrets;
    template <class V>
    void fields(V& v) {
        v(request, from, to, secrets);
    }
};

// The answer to the three above.
struct Rewrapped {
    static constexpr auto kType = MessageType::rewrapped;
    std::uint64_t request = 0;
    std::string why;                     // empty: it worked
    std::uint32_t kek_term = 0;          // what data keys are wrapped by now
    std::vector<std::string> envelopes;  // in the order of the question
    template <class V>
    void fields(V& v) {
        v(request, why, kek_term, envelopes);
    }
};

// berthd → runner: the list is to become `entries` under `data_key`. Answered only if
// `before` is right; the new counter is the next one.
struct MakeManifest {
    static constexpr auto kType = MessageType::make_manifest;
    std::uint64_t request = 0;
    Manifest before;
    WrappedKey data_key;
    std::vector<ManifestEntry> entries;
    template <class V>
    void fields(V& v) {
        v(request, before, data_key, entries);
    }
};

struct ManifestMade {
    static constexpr auto kType = MessageType::manifest_made;
    std::uint64_t request = 0;
    std::string why;  // empty: it worked
    std::string mac;
    template <class V>
    void fields(V& v) {
        v(request, why, mac);
    }
};

// berthd → runner: this manifest is on the disk; a lower counter is an old copy from now on.
struct Anchor {
    static constexpr auto kType = MessageType::anchor;
    Scope scope;
    std::uint64_t counter = 0;
    template <class V>
    void fields(V& v) {
        v(scope, counter);
    }
};

// berthd → runner: the administrator has restored a backup on purpose. Of every scope what
// is used next counts, whatever came after it.
struct AcceptRestore {
    static constexpr auto kType = MessageType::accept_restore;
    std::uint64_t request = 0;
    template <class V>
    void fields(V& v) {
        v(request);
    }
};

struct AnchorSet {
    static constexpr auto kType = MessageType::anchor_set;
    std::uint64_t request = 0;
    std::string why;  // empty: it worked
    template <class V>
    void fields(V& v) {
        v(request, why);
    }
};

}  // namespace berth::ipc
