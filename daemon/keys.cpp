#include "daemon/keys.h"

#include <utility>

#include "store/settings.h"

namespace berth {
namespace {

struct StoredKeys {
    std::string install_id;
    std::vector<KekRow> keks;
};

ipc::Scope to_ipc(const KeyScope& scope) {
    return {
        scope.kind == KeyScope::Kind::tenant ? ipc::ScopeKind::tenant : ipc::ScopeKind::integration,
        scope.id};
}

}  // namespace

// One write of secrets on its way through the runner.
struct Keys::Sealing {
    std::string actor;
    SecretReservation reservation;
    ConnectorId connector;
    DataKeyRow key;
    std::map<std::string, Secret> left;
    std::vector<SealedField> sealed;
    Done<Connection> done;
};

void Keys::load(Done<void> done) {
    store_.write(
        [by = By{"berthd", clock_.now()}](Db& db) -> Result<StoredKeys> {
            auto id = install_id(db, by);
            if (!id) return pass_on(id);
            return StoredKeys{std::move(*id), list_keks(db)};
        },
        [this, done = std::move(done)](Result<StoredKeys> stored) mutable {
            if (!stored) return done(pass_on(stored));
            ipc::LoadKeys keys;
            keys.install_id = stored->install_id;
            for (KekRow& kek : stored->keks)
                keys.keks.push_back({kek.term, std::move(kek.envelope)});
            runner_.load_keys(std::move(keys), [this, done = std::move(done)](
                                                   Result<ipc::KeysLoaded> loaded) mutable {
                if (!loaded) return done(pass_on(loaded));
                // Asking again would not help: the root key is another one.
                if (!loaded->ok) return done(fail(FailureKind::denied, "{}", loaded->why));
                if (loaded->fresh.empty()) return done({});
                store_.write(
                    [fresh = loaded->fresh,
                     by = By{"berthd", clock_.now()}](Db& db) -> Result<void> {
                        for (const ipc::WrappedKey& key : fresh)
                            if (auto added = add_kek(db, by, {key.id, key.envelope}); !added)
                                return added;
                        return {};
                    },
                    [this, done = std::move(done)](Result<void> added) mutable {
                        if (added) runner_.fresh_keys_stored();
                        done(std::move(added));
                    });
            });
        });
}

void Keys::with_data_key(const KeyScope& scope, const std::string& actor, Done<DataKeyRow> done) {
    store_.read([scope](Db& db) { return get_data_key(db, scope); },
                [this, scope, actor, done = std::move(done)](Result<DataKeyRow> key) mutable {
                    if (key || key.error().kind != FailureKind::not_found)
                        return done(std::move(key));
                    make_data_key(scope, actor, std::move(done));
                });
}

void Keys::make_data_key(const KeyScope& scope, const std::string& actor, Done<DataKeyRow> done) {
    auto store_it = [this, scope, actor](ipc::DataKey made, Done<DataKeyRow> answer) {
        DataKeyRow row{made.key.id, scope, made.kek_term, std::move(made.key.envelope)};
        store_.write(
            [row, by = By{actor, clock_.now()}](Db& db) -> Result<DataKeyRow> {
                // Two writes of one tenant's secrets at once: the first key serves both.
                if (auto first = get_data_key(db, row.scope)) return first;
                auto added = add_data_key(db, by, row);
                if (!added) return pass_on(added);
                return row;
            },
            std::move(answer));
    };
    store_.write([](Db& db) { return reserve_data_key_id(db); },
                 [this, scope, store_it, done = std::move(done)](Result<std::uint32_t> id) mutable {
                     if (!id) return done(pass_on(id));
                     runner_.new_data_key(
                         to_ipc(scope), *id,
                         [store_it, done = std::move(done)](Result<ipc::DataKey> made) mutable {
                             if (!made) return done(pass_on(made));
                             store_it(std::move(*made), std::move(done));
                         });
                 });
}

void Keys::store_secrets(Caller who, ConnectionOwner owner, std::string connector,
                         std::map<std::string, Secret> secrets, Done<Connection> done) {
    auto sealing = std::make_shared<Sealing>();
    sealing->actor = who.name;
    sealing->left = std::move(secrets);
    sealing->done = std::move(done);
    store_.write([by = By{who.name, clock_.now()}, owner, connector = std::move(connector)](
                     Db& db) { return reserve_secrets(db, by, owner, connector); },
                 [this, sealing](Result<SecretReservation> reserved) {
                     if (!reserved) return sealing->done(pass_on(reserved));
                     sealing->connector = reserved->connection.connector_id;
                     sealing->reservation = std::move(*reserved);
                     with_data_key(sealing->reservation.scope, sealing->actor,
                                   [this, sealing](Result<DataKeyRow> key) {
                                       if (!key) return sealing->done(pass_on(key));
                                       sealing->key = std::move(*key);
                                       seal_next(sealing);
                                   });
                 });
}

void Keys::seal_next(std::shared_ptr<Sealing> sealing) {
    if (sealing->left.empty()) {
        store_.write(
            [by = By{sealing->actor, clock_.now()}, id = sealing->reservation.connection.id,
             version = sealing->reservation.version,
             fields = sealing->sealed](Db& db) { return set_secrets(db, by, id, version, fields); },
            [sealing](Result<Connection> set) { sealing->done(std::move(set)); });
        return;
    }
    auto next = sealing->left.extract(sealing->left.begin());
    const ipc::FieldRef where{to_ipc(sealing->reservation.scope), sealing->connector.value,
                              next.key(), sealing->reservation.version};
    runner_.seal({sealing->key.id, sealing->key.envelope}, where, std::move(next.mapped()),
                 [this, sealing, field = next.key()](Result<std::string> envelope) {
                     if (!envelope) return sealing->done(pass_on(envelope));
                     sealing->sealed.push_back({field, std::move(*envelope)});
                     seal_next(sealing);
                 });
}

}  // namespace berth
