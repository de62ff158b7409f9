// `berth webhook`: where providers deliver to, and what came of it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "cli/session.h"

namespace berth {

struct WebhookOf {
    std::string tenant;
    std::string connector;
};

Result<Exit> webhook_show(Session& session, const WebhookOf& of);
Result<Exit> webhook_create(Session& session, const WebhookOf& of);
Result<Exit> webhook_rotate(Session& session, const WebhookOf& of,
                            std::optional<std::int64_t> overlap_seconds);
Result<Exit> webhook_revoke(Session& session, const WebhookOf& of);
Result<Exit> webhook_deliveries(Session& session, const WebhookOf& of, std::int64_t limit);

}  // namespace berth
