// The daemon's API as the commands see it: JSON in, JSON out, and every answer
// that is not 2xx turned into the Failure a person should read.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "model/json.h"

namespace berth {

class Client;

using Pairs = std::vector<std::pair<std::string, std::string>>;

// `/v2/tenants/7/sync?mode=init`: segments and values percent-encoded. The first
// segment follows `/v2`.
std::string api_path(const std::vector<std::string>& segments, const Pairs& query = {});

// Kinds: `unavailable` when there is no daemon to speak to (exit 3), `busy` for
// 429 and 503, `not_found`, `denied`, `conflict`, `over_limit`, `unprocessable`.
// A 422 lists one line per field.
class Api {
public:
    // A daemon that hangs is given up after this time without a byte.
    static constexpr std::chrono::milliseconds kPatient{60'000};
    static constexpr std::chrono::milliseconds kBrisk{5'000};  // for asking whether it is well
    explicit Api(const std::filesystem::path& socket,
                 std::chrono::milliseconds answer_time = kPatient);
    Api(const Api&) = delete;
    Api& operator=(const Api&) = delete;
    ~Api();

    Result<Json> get(const std::string& path);
    // The JSON of an answer whatever its status: for /v2/ready, which says no by 503.
    Result<Json> get_any(const std::string& path);
    // `body` is JSON text, or empty for none.
    Result<Json> send(std::string_view method, const std::string& path, std::string_view body,
                      const Pairs& headers = {});
    // Sends the rest of what `tar_fd` holds.
    Result<Json> upload(const std::string& path, int tar_fd);
    // The body of a POST's answer goes to `take` as it comes; how many bytes the daemon has
    // said that there would be. It may take `answer_time` to begin.
    Result<std::uint64_t> download(const std::string& path, std::chrono::milliseconds answer_time,
                                   const std::function<void(std::string_view)>& take);
    // The text of a GET, following the one redirect of the log route.
    Result<std::string> text(const std::string& path);
    // Server-sent events until the stream ends, is quiet for `quiet_time` (a failure:
    // `unavailable`) or `on_event` stops it.
    enum class Next { go_on, stop };
    using OnEvent = std::function<Next(std::string_view name, const std::string& data)>;
    Result<void> follow(const std::string& path, std::chrono::milliseconds quiet_time,
                        const OnEvent& on_event);

private:
    std::filesystem::path socket_;
    std::unique_ptr<Client> client_;
};

}  // namespace berth
