#include "sandbox/egress/records.h"

#include <fmt/format.h>

#include "model/limits.h"

namespace berth::egress {

void Records::add(const ipc::Connection& connection) {
    if (!connection.refused.empty()) {
        const Refusal refusal{connection.name, connection.address, connection.port,
                              connection.refused};
        if (const auto known = refusals_.find(refusal); known != refusals_.end()) {
            known->second.last = connection;
            ++known->second.times;
            return;
        }
        if (emitted_ < limits::kRunConnections) refusals_[refusal];
    }
    if (emitted_ < limits::kRunConnections) {
        ++emitted_;
        return emit_(connection);
    }
    ++(connection.refused.empty() ? more_ : more_refused_);
    rest_.run_id = connection.run_id;
    rest_.attempt = connection.attempt;
    rest_.time_us = connection.time_us;
    rest_.sent_bytes += connection.sent_bytes;
    rest_.received_bytes += connection.received_bytes;
}

void Records::finish() {
    for (auto& [refusal, repeated] : refusals_) {
        if (repeated.times == 0) continue;
        repeated.last.refused += fmt::format(" ({} more times)", repeated.times);
        emit_(repeated.last);
    }
    refusals_.clear();
    if (more_ > 0) {
        ipc::Connection rest = rest_;
        rest.name = fmt::format("{} more connections", more_);
        emit_(rest);
    }
    if (more_refused_ > 0) {
        ipc::Connection rest = rest_;
        rest.name = fmt::format("{} more refusals", more_refused_);
        rest.refused = "not listed one by one";
        rest.sent_bytes = rest.received_bytes = 0;
        emit_(rest);
    }
    more_ = more_refused_ = 0;
}

}  // namespace berth::egress
