#include "daemon/hooks.h"

#include <utility>

#include "base/crypto.h"
#include "base/log.h"
#include "base/text.h"
#include "store/integrations.h"
#include "store/releases.h"
#include "store/tenants.h"
#include "store/triggers.h"
#include "store/webhooks.h"

namespace berth {
namespace {

constexpr std::size_t kIdBytes = 128;    // of a delivery's id as it is; a longer one is hashed
constexpr std::size_t kWordBytes = 200;  // of what goes on the record
constexpr const char* kRetryAfter = "5";

// One for all that is wrong, so that a stranger learns nothing from it.
HookReply not_found() { return {404, R"({"message":"not found"})", "application/json"}; }
HookReply not_signed() {
    return {401, R"({"message":"the delivery is not signed as agreed"})", "application/json"};
}
HookReply later(int status, const char* seconds) {
    return {status,
            R"({"message":"not now; deliver it again"})",
            "application/json",
            {{"retry-after", seconds}}};
}
HookReply taken() { return {200}; }

ipc::MacKind to_ipc(MacAlgorithm algorithm) {
    switch (algorithm) {
        case MacAlgorithm::hmac_sha256: return ipc::MacKind::hmac_sha256;
        case MacAlgorithm::hmac_sha1: return ipc::MacKind::hmac_sha1;
        case MacAlgorithm::hmac_sha512: return ipc::MacKind::hmac_sha512;
        case MacAlgorithm::token: return ipc::MacKind::token;
        case MacAlgorithm::ecdsa_p256: return ipc::MacKind::ecdsa_p256;
    }
    std::abort();
}

ipc::MacKeyForm to_ipc(KeyEncoding encoding) {
    switch (encoding) {
        case KeyEncoding::raw: return ipc::MacKeyForm::raw;
        case KeyEncoding::base64: return ipc::MacKeyForm::base64;
        case KeyEncoding::hex: return ipc::MacKeyForm::hex;
    }
    std::abort();
}

std::string name_of(const HookOwner& owner) {
    return fmt::format("{} {}", owner.tenant_id.value, owner.connector_id.value);
}

// Of one connector apart from another's of the same tenant.
std::string idempotency_key(const HookOwner& owner, const std::string& key) {
    if (key.empty()) return {};
    return fmt::format("{} {}", owner.connector_id.value,
                       key.size() <= kIdBytes && is_utf8(key) ? key : to_hex(sha256(key)));
}

// The trigger, unless it came before; archived is as gone as an address that never was.
Result<Trigger> accept_delivery(Db& db, const Trigger& trigger, const WaitingCaps& caps) {
    auto tenant = get_tenant(db, trigger.tenant_id);
    if (!tenant) return pass_on(tenant);
    auto integration = get_integration(db, tenant->integration_id);
    if (!integration) return pass_on(integration);
    if (tenant->archived || integration->archived)
        return fail(FailureKind::not_found, "tenant '{}' is archived", tenant->name);
    // It can run when there is a release; until then the provider keeps it for us.
    if (auto release = release_for(db, *tenant, *integration); !release)
        return fail(FailureKind::unavailable, "tenant '{}' cannot run: {}", tenant->name,
                    release.error().message);
    return accept_trigger(db, trigger, caps);
}

}  // namespace

// On its way; ends with done.
struct Hooks::Delivery {
    std::string client{};
    HookRequest request{};
    std::size_t bytes = 0;  // of its body
    Callback<void(HookReply)> done{};
    HookOwner owner{};
    std::string stamp{};
    const WebhookScheme* scheme = nullptr;
    HookSubject subject{};
    bool read_again = false;  // the keys, since the first ones could not be used
};

Hooks::Hooks(Parts parts)
    : parts_{std::move(parts)},
      keys_{parts_.store, parts_.clock},
      deliveries_{{static_cast<double>(parts_.config.webhook_rate),
                   static_cast<double>(parts_.config.webhook_rate * limits::kWebhookBurst)},
                  limits::kWebhookAddresses},
      notes_{{static_cast<double>(limits::kWebhookRefusals) / 60.0,
              static_cast<double>(limits::kWebhookRefusals)},
             limits::kWebhookAddresses} {}

void Hooks::admit(std::string token, Callback<void(Result<std::string>)> done) {
    parts_.store.read(
        [token = std::move(token), now = parts_.clock.now()](Db& db) -> Result<HookOwner> {
            if (auto owner = find_hook(db, token, now)) return *std::move(owner);
            return fail(FailureKind::not_found, "not found");
        },
        [this, done = std::move(done)](Result<HookOwner> owner) mutable {
            if (!owner) {
                count(owner.error().kind == FailureKind::not_found
                          ? "unknown"
                          : to_string(HookOutcome::unavailable));
                return done(pass_on(owner));
            }
            const ConnectorKind* kind = parts_.kinds(owner->kind);
            if (kind == nullptr || !kind->webhook) {
                count("unknown");
                return done(fail(FailureKind::not_found, "not found"));
            }
            done(name_of(*owner));
        });
}

// The address is looked up again: it may have been revoked while the body came.
void Hooks::receive(HookCall call, Callback<void(HookReply)> done) {
    const auto delivery = std::make_shared<Delivery>();
    delivery->client = std::move(call.client);
    delivery->bytes = call.body.size();
    delivery->request = {std::move(call.method),  parts_.config.public_url + call.uri,
                         std::move(call.uri),     std::move(call.query),
                         std::move(call.headers), std::move(call.body)};
    delivery->done = std::move(done);
    using Found = std::pair<HookOwner, std::string>;
    parts_.store.read(
        [token = std::move(call.token), now = parts_.clock.now()](Db& db) -> Result<Found> {
            auto owner = find_hook(db, token, now);
            if (!owner) return fail(FailureKind::not_found, "no such address");
            auto stamp = hook_stamp(db, *owner);
            if (!stamp) return pass_on(stamp);
            return Found{*std::move(owner), *std::move(stamp)};
        },
        [this, delivery](Result<Found> answer) {
            if (answer) {
                delivery->owner = std::move(answer->first);
                delivery->stamp = std::move(answer->second);
                return found(delivery);
            }
            if (answer.error().kind != FailureKind::not_found)
                return not_now(delivery, answer.error());
            count("unknown");
            delivery->done(not_found());
        });
}

void Hooks::found(const Held& delivery) {
    const HookOwner& owner = delivery->owner;
    if (!deliveries_.take(name_of(owner), parts_.clock.steady())) {
        count(to_string(HookOutcome::limited));
        return delivery->done(later(429, kRetryAfter));
    }
    const ConnectorKind* kind = parts_.kinds(owner.kind);
    if (kind == nullptr || !kind->webhook) {
        count("unknown");
        return delivery->done(not_found());
    }
    delivery->scheme = &*kind->webhook;
    if (auto said = unsigned_handshake(*delivery->scheme, delivery->request))
        return answer(delivery, *std::move(said));
    if (delivery->request.method != "POST") return delivery->done(not_found());
    auto proof = read_proof(*delivery->scheme, delivery->request, parts_.clock.now());
    if (!proof) return refuse(delivery, proof.error().message);
    if (delivery->stamp.empty()) return refuse(delivery, "the connector is not connected");
    check(delivery, *std::move(proof));
}

// Read again, a kind may want another field of the same connection.
std::string Hooks::key_stamp(const Delivery& delivery) {
    return delivery.stamp + "/" + delivery.scheme->key_field;
}

void Hooks::check(const Held& delivery, HookProof proof) {
    keys_.get(delivery->owner, key_stamp(*delivery), delivery->scheme->key_field,
              [this, delivery, proof = std::move(proof)](Result<HookSecrets> keys) mutable {
                  if (!keys) return not_now(delivery, keys.error());
                  if (keys->secrets.empty())
                      return refuse(delivery,
                                    fmt::format("there is no secret '{}' to check it with",
                                                delivery->scheme->key_field));
                  ipc::CheckMac question;
                  question.keys = std::move(keys->secrets);
                  question.manifests = std::move(keys->manifests);
                  question.kind = to_ipc(delivery->scheme->algorithm);
                  question.key_form = to_ipc(delivery->scheme->key_encoding);
                  question.key_prefix = delivery->scheme->key_prefix;
                  question.message = proof.message;
                  question.candidates = proof.candidates;
                  parts_.runner.ask<ipc::CheckMac, ipc::MacChecked>(
                      std::move(question),
                      [this, delivery, proof = std::move(proof)](Result<ipc::MacChecked> said) {
                          checked(delivery, proof, said);
                      });
              });
}

void Hooks::checked(const Held& delivery, const HookProof& proof,
                    const Result<ipc::MacChecked>& said) {
    ++(!said ? macs_.unchecked : said->right ? macs_.right : macs_.wrong);
    if (!said) {
        keys_.forget(delivery->owner);
        // They may have been changed since they were read.
        if (!std::exchange(delivery->read_again, true)) return check(delivery, proof);
        keys_.rest(delivery->owner, key_stamp(*delivery), said.error());
        return not_now(delivery, said.error());
    }
    if (!said->right) return refuse(delivery, "its signature is wrong");
    delivery->subject = read_subject(*delivery->scheme, delivery->request, proof);
    if (auto& question = delivery->subject.answer) return answer(delivery, *std::move(question));
    accept(delivery);
}

void Hooks::accept(const Held& delivery) {
    Trigger trigger;
    trigger.id = TriggerId::make();
    trigger.tenant_id = delivery->owner.tenant_id;
    trigger.source = TriggerSource::webhook;
    trigger.mode = RunMode::webhook;
    trigger.headers =
        kept_headers(*delivery->scheme, delivery->request.headers, limits::kWebhookHeadersBytes);
    trigger.body = std::move(delivery->request.body);
    trigger.idempotency_key = idempotency_key(delivery->owner, delivery->subject.key);
    trigger.created = parts_.clock.now();
    HookDelivery record = record_of(*delivery);
    parts_.store.write(
        [trigger = std::move(trigger), record = std::move(record), owner = delivery->owner,
         caps = parts_.config.waiting](Db& db) mutable -> Result<HookOutcome> {
            auto accepted = accept_delivery(db, trigger, caps);
            if (!accepted) return pass_on(accepted);
            const bool fresh = accepted->id == trigger.id;
            record.outcome = fresh ? HookOutcome::accepted : HookOutcome::duplicate;
            record.trigger_id = accepted->id;
            record_delivery(db, owner.tenant_id, owner.connector_id, record);
            return record.outcome;
        },
        [this, delivery](Result<HookOutcome> outcome) {
            if (!outcome) return not_now(delivery, outcome.error());
            count(to_string(*outcome));
            delivery->done(taken());
        });
    // Right behind it, so that the run begins in the commit that accepts the trigger.
    parts_.kick();
}

HookDelivery Hooks::record_of(const Delivery& delivery) const {
    HookDelivery record;
    record.time = parts_.clock.now();
    record.delivery_id = printable(delivery.subject.id, kWordBytes);
    record.event = printable(delivery.subject.event, kWordBytes);
    record.client = delivery.client;
    record.bytes = delivery.bytes;
    return record;
}

// Nobody waits for this record, and strangers do not fill the store's queue with it.
void Hooks::note(const Held& delivery, HookOutcome outcome, std::string reason) {
    count(to_string(outcome));
    if (!notes_.take(name_of(delivery->owner), parts_.clock.steady())) return;
    HookDelivery record = record_of(*delivery);
    record.outcome = outcome;
    record.reason = std::move(reason);
    parts_.store.write(
        [record = std::move(record), owner = delivery->owner](Db& db) {
            record_delivery(db, owner.tenant_id, owner.connector_id, record);
        },
        [](Result<void>) {});
}

void Hooks::answer(const Held& delivery, HookAnswer said) {
    note(delivery, HookOutcome::handshake, {});
    delivery->done(
        {200, std::move(said.body), std::move(said.content_type), std::move(said.headers)});
}

void Hooks::refuse(const Held& delivery, std::string reason) {
    note(delivery, HookOutcome::refused, std::move(reason));
    delivery->done(not_signed());
}

// It was right, and cannot be kept: the provider still has it.
void Hooks::not_now(const Held& delivery, const Failure& why) {
    if (why.kind == FailureKind::not_found) return delivery->done(not_found());
    const bool too_many = why.kind == FailureKind::over_limit;
    const auto outcome = too_many ? HookOutcome::limited : HookOutcome::unavailable;
    if (delivery->owner.tenant_id)
        note(delivery, outcome, why.message);
    else
        count(to_string(outcome));
    delivery->done(later(too_many ? 429 : 503, kRetryAfter));
}

}  // namespace berth
