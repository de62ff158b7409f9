// How well-known providers sign, as a kind's file would say it, and a hand that signs and
// checks as they and the runner do.
#pragma once

#include <catch2/catch.hpp>
#include <string>

#include "connectors/webhook.h"
#include "connectors/webhook_scheme.h"

namespace berth::testing {

// `github`, `standard`, `stripe`, `slack`, `shopify`, `hubspot`, `gitlab`, `twilio`, `graph`,
// `zendesk`, `klaviyo`, `sendgrid`, `generic`.
WebhookScheme scheme_of(std::string_view provider);
WebhookScheme parse_scheme(const std::string& json);
// Each, by name.
const std::vector<std::string>& providers();

inline const Time kNow = time_from_micros(1'700'000'000'000'000);

// Signed by the scheme as its provider would; secrets are texts as they are stored.
HookRequest signed_request(const WebhookScheme& scheme, const std::string& secret, std::string body,
                           Time when = kNow, const std::string& id = "d-1");

// What the runner says of it: the checks of vault/mac.h.
bool is_right(const WebhookScheme& scheme, const HookProof& proof, const std::string& secret);
// Both halves: it can be read, and is right.
bool accepts(const WebhookScheme& scheme, const HookRequest& request, const std::string& secret,
             Time now = kNow);
// A secret of the form that the provider's have.
std::string secret_of(std::string_view provider);
// Another of the same form.
std::string another_secret(std::string_view provider, const std::string& secret);

void set_header(HookRequest& request, const std::string& name, std::string value);
const std::string& header(const HookRequest& request, std::string_view name);

}  // namespace berth::testing
