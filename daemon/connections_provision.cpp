// What an administrator gives for all tenants of an integration: a client's id and secret,
// scopes, places.
#include <set>
#include <utility>

#include "daemon/connections_order.h"
#include "store/provisioning.h"

namespace berth {

void Connections::provision(Caller who, IntegrationId id, std::string connector, TypedFields fields,
                            Done<std::string> done) {
    auto held = std::make_shared<TypedFields>(std::move(fields));
    parts_.store.read(
        [id, connector](Db& db) { return berth::get_provisioning(db, id, connector); },
        [this, who, id, connector, held,
         done = std::move(done)](Result<Provisioning> before) mutable {
            if (!before) return done(pass_on(before));
            GivenFields given;
            if (before->kind == kCustomKind) {
                given.secret = std::move(*held);
            } else {
                const ConnectorKind* kind = parts_.kinds.find(before->kind);
                if (kind == nullptr) return done(no_kind(connector, before->kind));
                std::set<std::string> there{before->secrets.begin(), before->secrets.end()};
                for (const auto& [field, value] : before->readable)
                    there.insert(field);
                auto checked = check_fields(kind->provisioning, std::move(*held), there);
                if (!checked) return done(pass_on(checked));
                const std::set<std::string> sealed{before->secrets.begin(), before->secrets.end()};
                if (auto ok = check_place(*kind, *checked, before->readable, sealed); !ok)
                    return done(pass_on(ok));
                given = std::move(*checked);
            }
            auto order = std::make_shared<Order>();
            order->actor = who.name;
            for (auto& [field, secret] : given.secret)
                order->secrets.emplace(provisioned_name(field), std::move(secret));
            order->reserve = [id, connector](Db& db, const By& by) {
                return reserve_provisioning(db, by, id, connector);
            };
            order->write = [readable = std::move(given.readable)](
                               Db& db, const By& by, const SecretReservation& reserved,
                               std::vector<SealedField> sealed) -> Result<Connection> {
                auto set = set_provisioning(db, by, reserved.connection.id, reserved.version,
                                            sealed, readable);
                if (!set) return pass_on(set);
                return reserved.connection;
            };
            order->done = [this, id, connector,
                           done = std::move(done)](Result<Connection> stored) mutable {
                if (!stored) return done(pass_on(stored));
                get_provisioning(id, connector, std::move(done));
            };
            store_fields(std::move(order));
        });
}

Done<Provisioning> Connections::answer_provisioning(Done<std::string> done) const {
    return [this, done = std::move(done)](Result<Provisioning> found) mutable {
        if (!found) return done(pass_on(found));
        done(provisioning_form(*found));
    };
}

void Connections::get_provisioning(IntegrationId id, std::string connector,
                                   Done<std::string> done) {
    parts_.store.read([id, connector = std::move(connector)](
                          Db& db) { return berth::get_provisioning(db, id, connector); },
                      answer_provisioning(std::move(done)));
}

void Connections::unprovision(Caller who, IntegrationId id, std::string connector,
                              Done<std::string> done) {
    parts_.keys.manifests().change<Provisioning>(
        {KeyScope::Kind::integration, id.value},
        [by = by(who), id, connector = std::move(connector)](Db& db) {
            return delete_provisioning(db, by, id, connector);
        },
        answer_provisioning(std::move(done)));
}

}  // namespace berth
