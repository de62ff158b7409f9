#include "model/values.h"

#include <array>
#include <cstdlib>

namespace berth {
namespace {

// The enumerator whose word this is, or nothing.
template <typename Enum, std::size_t N>
std::optional<Enum> find_word(const std::array<Enum, N>& all, std::string_view word) {
    for (const Enum value : all)
        if (to_string(value) == word) return value;
    return {};
}

}  // namespace

std::string_view to_string(RunMode mode) {
    switch (mode) {
        case RunMode::init: return "init";
        case RunMode::normal: return "normal";
        case RunMode::webhook: return "webhook";
    }
    std::abort();
}

std::string_view to_string(TriggerSource source) {
    switch (source) {
        case TriggerSource::api: return "api";
        case TriggerSource::cron: return "cron";
        case TriggerSource::manual: return "manual";
        case TriggerSource::webhook: return "webhook";
    }
    std::abort();
}

std::string_view to_string(NetworkMode mode) {
    switch (mode) {
        case NetworkMode::none: return "none";
        case NetworkMode::egress: return "egress";
        case NetworkMode::host: return "host";
    }
    std::abort();
}

std::string_view to_string(OnLost on_lost) {
    switch (on_lost) {
        case OnLost::fail: return "fail";
        case OnLost::retry: return "retry";
    }
    std::abort();
}

std::string_view to_string(Channel channel) {
    switch (channel) {
        case Channel::Latest: return "Latest";
        case Channel::Default: return "Default";
    }
    std::abort();
}

std::string_view to_string(ConnectionStatus status) {
    switch (status) {
        case ConnectionStatus::connected: return "connected";
        case ConnectionStatus::disconnected: return "disconnected";
        case ConnectionStatus::pending: return "pending";
        case ConnectionStatus::failed_refresh: return "failed_refresh";
    }
    std::abort();
}

std::string_view to_string(OutputStream stream) {
    switch (stream) {
        case OutputStream::out: return "stdout";
        case OutputStream::err: return "stderr";
        case OutputStream::note: return "note";
    }
    std::abort();
}

std::optional<RunMode> parse_run_mode(std::string_view word) {
    return find_word(std::array{RunMode::init, RunMode::normal, RunMode::webhook}, word);
}

std::optional<TriggerSource> parse_trigger_source(std::string_view word) {
    return find_word(std::array{TriggerSource::api, TriggerSource::cron, TriggerSource::manual,
                                TriggerSource::webhook},
                     word);
}

std::optional<NetworkMode> parse_network_mode(std::string_view word) {
    return find_word(std::array{NetworkMode::none, NetworkMode::egress, NetworkMode::host}, word);
}

std::optional<OnLost> parse_on_lost(std::string_view word) {
    return find_word(std::array{OnLost::fail, OnLost::retry}, word);
}

std::optional<Channel> parse_channel(std::string_view word) {
    return find_word(std::array{Channel::Latest, Channel::Default}, word);
}

std::optional<ConnectionStatus> parse_connection_status(std::string_view word) {
    return find_word(std::array{ConnectionStatus::connected, ConnectionStatus::disconnected,
                                ConnectionStatus::pending, ConnectionStatus::failed_refresh},
                     word);
}

std::optional<OutputStream> parse_output_stream(std::string_view word) {
    return find_word(std::array{OutputStream::out, OutputStream::err, OutputStream::note}, word);
}

}  // namespace berth
