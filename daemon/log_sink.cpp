#include "daemon/log_sink.h"

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <atomic>

#include "base/journal.h"
#include "base/text.h"

namespace berth {
namespace {

std::atomic<LogLevel>& least_level() {
    static std::atomic<LogLevel> level{LogLevel::info};
    return level;
}

}  // namespace

void set_log_level(LogLevel level) {
    least_level() = level;
    set_journal_level(level);
}

void log_to_journal_or_stderr(const std::string& program, LogLevel level) {
    set_log_level(level);
    if (log_to_journal(program, level)) return;
    auto logger = spdlog::stderr_color_mt(program);
    logger->set_pattern("%Y-%m-%dT%H:%M:%S.%e %n %^%l%$: %v");
    logger->flush_on(spdlog::level::info);
    set_log_sink([logger](LogLevel line_level, std::string_view text, LogFields fields) {
        if (line_level > least_level()) return;
        std::string line = printable(text, 4096);
        for (const LogField& field : fields)
            line += fmt::format(" {}={}", field.name, printable(field.value, 1024));
        switch (line_level) {
            case LogLevel::error: return logger->error("{}", line);
            case LogLevel::warning: return logger->warn("{}", line);
            case LogLevel::info: return logger->info("{}", line);
        }
    });
}

}  // namespace berth
