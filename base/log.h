// Structured log lines. base knows no logging library: main() of each program
// hands in a sink (the one global of the product, see style.md rule 10).
#pragma once

#include <fmt/format.h>

#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace berth {

enum class LogLevel { error, warning, info };  // must act | degraded | state change

struct LogField {
    template <typename T>
    LogField(std::string_view field_name, const T& field_value)
        : name{field_name}, value{fmt::format("{}", field_value)} {}
    std::string_view name;  // run, tenant, integration ...
    std::string value;
};
using LogFields = std::initializer_list<LogField>;

// Called on any thread. Without a sink, lines go to stderr as `level: text name=value`.
using LogSink = std::function<void(LogLevel, std::string_view text, LogFields fields)>;
void set_log_sink(LogSink sink);

void log_line(LogLevel level, std::string_view text, LogFields fields = {});
inline void log_error(std::string_view text, LogFields fields = {}) {
    log_line(LogLevel::error, text, fields);
}
inline void log_warning(std::string_view text, LogFields fields = {}) {
    log_line(LogLevel::warning, text, fields);
}
inline void log_info(std::string_view text, LogFields fields = {}) {
    log_line(LogLevel::info, text, fields);
}

std::string_view to_string(LogLevel level);

}  // namespace berth
