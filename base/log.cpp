#include "base/log.h"

#include <cstdio>

#include "base/guarded.h"

namespace berth {
namespace {

Guarded<LogSink>& sink() {
    static Guarded<LogSink> the_sink;
    return the_sink;
}

void to_stderr(LogLevel level, std::string_view text, LogFields fields) {
    std::string line = fmt::format("{}: {}", to_string(level), text);
    for (const LogField& field : fields)
        line += fmt::format(" {}={}", field.name, field.value);
    line += '\n';
    std::fwrite(line.data(), 1, line.size(), stderr);
}

}  // namespace

std::string_view to_string(LogLevel level) {
    switch (level) {
        case LogLevel::error: return "error";
        case LogLevel::warning: return "warning";
        case LogLevel::info: return "info";
    }
    return "?";
}

void set_log_sink(LogSink new_sink) {
    sink().with([&](LogSink& held) { held = std::move(new_sink); });
}

void log_line(LogLevel level, std::string_view text, LogFields fields) {
    sink().with([&](const LogSink& held) {
        if (held)
            held(level, text, fields);
        else
            to_stderr(level, text, fields);
    });
}

}  // namespace berth
