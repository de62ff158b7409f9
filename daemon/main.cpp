// berthd: arguments, then App (or the supervisor, with --all; or another program, with
// --start); exit codes: 0 stopped as asked, 1 failed, 2 wrong usage or settings.
#include <cstdio>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

#include "base/activation.h"
#include "base/loop/stream.h"
#include "base/text.h"
#include "base/undumpable.h"
#include "daemon/app.h"
#include "daemon/backup.h"
#include "daemon/log_sink.h"
#include "daemon/start.h"
#include "daemon/supervisor.h"
#include "model/version.h"

namespace {

constexpr const char* kUsage =
    "berthd: keeps integrations, tenants and connectors, and runs them on time\n"
    "\n"
    "  berthd --config FILE [--listen-fd N]   one daemon of a systemd host; it serves the "
    "inherited\n"
    "                                         socket N, or the one that systemd calls 'control'\n"
    "  berthd --all --config FILE             starts berth-launcher and berth-runner as well, and\n"
    "                                         again when they end (demo, tests, containers)\n"
    "  berthd --check --config FILE           reads the settings and says what is wrong with them\n"
    "  berthd --start PROGRAM --config FILE   becomes berth-runner, berth-launcher or "
    "berth-egress\n"
    "                                         with these settings (the units of systemd)\n"
    "  berthd --backup FOLDER --config FILE   copies all but the root key there, also under a "
    "Berth\n"
    "                                         that runs\n"
    "  berthd --restore FOLDER --config FILE  puts it back, where no store is\n"
    "  berthd --version | --help\n"
    "\n"
    "`berth init` makes FILE, the folders and the root key.\n";

struct Arguments {
    std::string config;
    std::optional<int> listen_fd;
    std::string start;
    std::string backup, restore;
    bool all = false;
    bool check = false;
};

int usage(const std::string& wrong) {
    std::fprintf(stderr, "berthd: %s\n\n%s", wrong.c_str(), kUsage);
    return 2;
}

int tell(const char* what, const berth::Result<berth::BackupSums>& sums) {
    if (sums)
        return std::printf("%s: %lu databases (%lu KiB), %lu releases\n", what, sums->databases,
                           sums->bytes / 1024, sums->releases) < 0
                   ? 1
                   : 0;
    std::fprintf(stderr, "berthd: %s\n", sums.error().message.c_str());
    return 1;
}

int serve(const Arguments& arguments, berth::Config config) {
    using namespace berth;
    // Requests pass through here with secrets in them: nothing of this process may
    // reach a core file or another process's ptrace.
    make_undumpable();
    Fd control;
    if (arguments.listen_fd) {
        control = Fd{*arguments.listen_fd};
    } else if (const auto inherited = inherited_socket("control")) {
        control = Fd{*inherited};
    } else {
        auto bound = Listener::bind(config.control_socket(), 0666);
        if (!bound) {
            log_error(bound.error().message);
            return 1;
        }
        control = std::move(*bound);
    }
    auto app = App::make(std::move(config), std::move(control), arguments.config);
    if (!app) {
        log_error(app.error().message);
        return 1;
    }
    return (*app)->run();
}

}  // namespace

int main(int argc, char** argv) {
    using namespace berth;
    Arguments arguments;
    for (int i = 1; i < argc; ++i) {
        const std::string_view word = argv[i];
        const char* value = i + 1 < argc ? argv[i + 1] : nullptr;
        if (word == "--help") return std::fputs(kUsage, stdout) < 0 ? 1 : 0;
        if (word == "--version") return std::printf("berthd %s\n", kVersion) < 0 ? 1 : 0;
        if (word == "--all") {
            arguments.all = true;
        } else if (word == "--check") {
            arguments.check = true;
        } else if (word == "--backup" && value != nullptr) {
            arguments.backup = argv[++i];
        } else if (word == "--restore" && value != nullptr) {
            arguments.restore = argv[++i];
        } else if (word == "--start" && value != nullptr) {
            arguments.start = argv[++i];
        } else if (word == "--config" && value != nullptr) {
            arguments.config = argv[++i];
        } else if (word == "--listen-fd" && value != nullptr) {
            arguments.listen_fd = to_number<int>(argv[++i]);
            if (!arguments.listen_fd || *arguments.listen_fd < 3)
                return usage("'--listen-fd' needs the number of an inherited socket");
        } else {
            return usage(fmt::format("cannot use the argument '{}' here", printable(word, 80)));
        }
    }
    if (arguments.config.empty()) return usage("'--config FILE' is missing");

    try {
        auto config = load_config(arguments.config);
        if (!config) {
            std::fprintf(stderr, "berthd: %s\n", config.error().message.c_str());
            return 2;
        }
        if (!arguments.backup.empty())
            return tell("copied", berth::back_up(*config, arguments.backup));
        if (!arguments.restore.empty())
            return tell("put back", berth::restore(*config, arguments.restore));
        if (arguments.check) return std::puts("the settings are right") < 0 ? 1 : 0;
        log_to_journal_or_stderr(arguments.all ? "berthd(all)" : "berthd", config->log_level);
        if (!arguments.start.empty()) {
            log_error(start_unit(*config, arguments.start).message);
            return 2;
        }
        return arguments.all ? supervise(*config, arguments.config)
                             : serve(arguments, std::move(*config));
    } catch (const std::exception& error) {
        log_error(error.what());
        return 1;
    }
}
