#include "base/journal.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "base/fd.h"
#include "base/text.h"

namespace berth {
namespace {

constexpr const char* kSocket = "/run/systemd/journal/socket";
constexpr std::size_t kMostText = 4096;
constexpr std::size_t kMostValue = 1024;

std::atomic<LogLevel>& least_level() {
    static std::atomic<LogLevel> level{LogLevel::info};
    return level;
}

// syslog(3)'s numbers.
char priority_of(LogLevel level) {
    switch (level) {
        case LogLevel::error: return '3';
        case LogLevel::warning: return '4';
        case LogLevel::info: return '6';
    }
    return '6';
}

// `NAME=value`, or for a value with a line end: the name, its length in 8 bytes, itself.
void add(std::string& entry, std::string_view name, std::string_view value) {
    entry += name;
    if (value.find('\n') == std::string_view::npos) {
        entry += '=';
    } else {
        entry += '\n';
        for (unsigned shift = 0; shift < 64; shift += 8)
            entry += static_cast<char>(std::uint64_t{value.size()} >> shift & 0xFF);
    }
    entry += value;
    entry += '\n';
}

// The journal takes A-Z, 0-9 and '_'.
std::string field_name(std::string_view name) {
    std::string field = "BERTH_";
    for (const char c : name) {
        if (c >= 'a' && c <= 'z')
            field += static_cast<char>(c - 'a' + 'A');
        else
            field += (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ? c : '_';
    }
    return field;
}

// The socket is not connected: a journal that was started anew has another one there.
bool send_entry(const Fd& socket, const std::string& entry) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strcpy(address.sun_path, kSocket);
    return ::sendto(socket.get(), entry.data(), entry.size(), MSG_NOSIGNAL,
                    reinterpret_cast<const sockaddr*>(&address), sizeof address) >= 0;
}

}  // namespace

std::string journal_entry(std::string_view program, LogLevel level, std::string_view text,
                          LogFields fields) {
    std::string message = printable(text, kMostText);
    std::string entry;
    for (const LogField& field : fields) {
        // Also in the text: whoever only reads the lines misses nothing.
        const std::string value = printable(field.value, kMostValue);
        message += fmt::format(" {}={}", field.name, value);
        add(entry, field_name(field.name), value);
    }
    add(entry, "MESSAGE", message);
    add(entry, "PRIORITY", std::string_view{std::string{priority_of(level)}});
    add(entry, "SYSLOG_IDENTIFIER", program);
    return entry;
}

bool is_journal(std::string_view journal_stream, int fd) {
    struct stat info {};
    if (journal_stream.empty() || ::fstat(fd, &info) < 0) return false;
    return journal_stream == fmt::format("{}:{}", info.st_dev, info.st_ino);
}

bool log_to_journal(std::string program, LogLevel level) {
    const char* stream = std::getenv("JOURNAL_STREAM");
    if (stream == nullptr || !is_journal(stream, STDERR_FILENO)) return false;
    const auto socket = std::make_shared<Fd>(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    if (!*socket) return false;
    set_journal_level(level);
    set_log_sink([program = std::move(program), socket](LogLevel line_level, std::string_view text,
                                                        LogFields fields) {
        if (line_level > least_level()) return;
        if (send_entry(*socket, journal_entry(program, line_level, text, fields))) return;
        // The journal is away: stderr is its stream, or somebody reads that.
        const std::string line = printable(text, kMostText) + "\n";
        (void)!::write(STDERR_FILENO, line.data(), line.size());
    });
    return true;
}

void set_journal_level(LogLevel level) { least_level() = level; }

}  // namespace berth
