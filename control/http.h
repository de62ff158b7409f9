// The words of the HTTP layer: what a handler is given (Request) and the parts
// of it. Values only; Reply, the other half, is in reply.h.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/fd.h"
#include "control/peer.h"
#include "model/ids.h"
#include "model/limits.h"

namespace berth {

enum class Method { get, head, post, put, patch, del };
std::string_view to_string(Method method);                  // `GET`, `DELETE` ...
std::optional<Method> parse_method(std::string_view word);  // upper case only

// Pairs in the order they came; a name may come more than once.
class NamedValues {
public:
    void add(std::string name, std::string value);
    std::size_t count(std::string_view name) const;
    // The last one, as the contract's platform takes it; nothing when absent.
    std::optional<std::string_view> find(std::string_view name) const;
    const std::vector<std::pair<std::string, std::string>>& all() const { return pairs_; }

private:
    std::vector<std::pair<std::string, std::string>> pairs_;
};

// Names are lower case; find("content-type").
class Headers : public NamedValues {};

// Decoded query parameters. A refusal is `unprocessable` and says where
// (`query.limit`), which becomes the contract's 422.
class Query : public NamedValues {
public:
    Result<std::optional<std::int64_t>> integer(std::string_view name) const;
    // true/false, 1/0, yes/no, on/off in any case.
    Result<std::optional<bool>> flag(std::string_view name) const;
    // Must be there, but may be empty.
    Result<std::string> required(std::string_view name) const;
    // query.id<TenantId>("tenant_id"): a positive integer, or absent.
    template <typename AnId>
    Result<std::optional<AnId>> id(std::string_view name) const {
        const auto text = find(name);
        if (!text) return std::optional<AnId>{};
        if (const auto parsed = AnId::parse(*text)) return std::optional<AnId>{*parsed};
        return tl::unexpected<Failure>{not_an_id(name)};
    }

private:
    static Failure not_an_id(std::string_view name);
};

// One request, whole, its path matched. Moved into the handler, which may keep it.
struct Request {
    Method method = Method::get;
    std::string target;             // path as it came, without the query; for logs
    std::string raw_query;          // as it came, without the '?'
    std::vector<std::string> path;  // decoded segments: {"v2", "tenants", "7"}
    NamedValues params;             // the route's {names}
    Query query;
    Headers headers;
    std::string body;  // empty on routes with BodyPlace::file
    Fd body_file;      // there: an unlinked file, read from its start
    std::uint64_t body_bytes = 0;
    Peer peer;

    // A {name} of the route's pattern; a name that is not in it is our mistake.
    std::string_view param(std::string_view name) const;
    // request.id<TenantId>("tenant_id"): 422 at path.tenant_id unless it is one.
    template <typename AnId>
    Result<AnId> id(std::string_view name) const {
        if (const auto parsed = AnId::parse(param(name))) return *parsed;
        return tl::unexpected<Failure>{not_an_id(name)};
    }

private:
    static Failure not_an_id(std::string_view name);
};

// The limits of one server; tests hand in smaller ones.
struct HttpLimits {
    std::size_t head_bytes = limits::kHttpHeadBytes;
    std::size_t header_count = limits::kHttpHeaderCount;
    std::size_t uri_bytes = limits::kHttpUriBytes;
    std::size_t body_bytes_per_second = limits::kHttpBodyBytesPerSecond;
    std::size_t read_ahead_bytes = limits::kHttpReadAheadBytes;
    std::size_t unsent_bytes = limits::kHttpUnsentBytes;
    std::size_t bodies_bytes = limits::kHttpBodiesBytes;
    std::size_t bodies_bytes_of_one = bodies_bytes;  // of those that a Gate counts together
    std::size_t connections = limits::kHttpConnections;
    std::size_t connections_per_uid = limits::kHttpConnectionsPerUid;
    std::size_t refusals = limits::kHttpRefusals;
    std::chrono::milliseconds head_time = limits::kHttpHeadTime;
    std::chrono::milliseconds body_window = limits::kHttpBodyWindow;
    std::chrono::milliseconds idle_time = limits::kHttpIdleTime;
    std::chrono::milliseconds linger_time = limits::kHttpLingerTime;
    std::chrono::milliseconds heartbeat = limits::kHttpHeartbeat;
    std::chrono::milliseconds stop_time = limits::kHttpStopTime;
    std::chrono::milliseconds sweep = limits::kHttpSweep;  // how often deadlines are looked at
};

}  // namespace berth
