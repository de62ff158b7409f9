#include "cli/io.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdlib>
#include <iostream>

#include "base/text.h"
#include "cli/output.h"

namespace berth {

Exit exit_of(const Failure& failure) {
    switch (failure.kind) {
        case FailureKind::invalid: return Exit::usage;
        case FailureKind::denied:
        case FailureKind::unavailable: return Exit::unreachable;
        case FailureKind::unprocessable:
        case FailureKind::not_found:
        case FailureKind::conflict:
        case FailureKind::over_limit:
        case FailureKind::busy: return Exit::failed;
    }
    return Exit::failed;
}

Io process_io() {
    const auto environment = [](const char* name) -> std::optional<std::string> {
        const char* value = std::getenv(name);
        if (value == nullptr || *value == '\0') return {};
        return value;
    };
    // no-color.org: any value that is not empty counts.
    const bool may_colour = !environment("NO_COLOR") && environment("TERM") != "dumb";
    const bool out_is_terminal = ::isatty(STDOUT_FILENO) == 1;
    std::size_t width = 0;
    winsize size{};
    if (out_is_terminal && ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0) width = size.ws_col;
    return Io{.out = std::cout,
              .err = std::cerr,
              .in_fd = STDIN_FILENO,
              .colour_out = may_colour && out_is_terminal,
              .colour_err = may_colour && ::isatty(STDERR_FILENO) == 1,
              .width = width,
              .environment = environment};
}

void say(Io& io, const Failure& failure) {
    // Further lines (one per refused field) stand below the first one's text.
    std::string_view lead = "berth: ";
    for (const std::string& line : split(failure.message, '\n')) {
        io.err << toned(lead, Tone::bad, io.colour_err ? Colour::on : Colour::off) << shown(line)
               << '\n';
        lead = "       ";
    }
    io.err.flush();
}

void say(Io& io, std::string_view remark) {
    io.err << toned(shown(remark), Tone::faint, io.colour_err ? Colour::on : Colour::off) << '\n';
    io.err.flush();
}

}  // namespace berth
