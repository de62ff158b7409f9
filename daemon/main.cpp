// berthd: arguments, then App (or the supervisor, with --all; or another program, with
// --start); exit codes: 0 stopped as asked, 1 failed, 2 wrong usage or settings.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "base/activation.h"
#include "base/loop/stream.h"
#include "base/out_of_memory.h"
#include "base/text.h"
#include "base/undumpable.h"
#include "connectors/kinds.h"
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
    "  berthd --config FILE [--listen-fd N] [--public-fd N]\n"
    "                                         one daemon of a systemd host; it serves the "
    "inherited\n"
    "                                         sockets, or those that systemd calls 'control' and\n"
    "                                         'public'\n"
    "  berthd --all --config FILE             starts berth-launcher and berth-runner as well, and\n"
    "                                         again when they end (demo, tests, containers)\n"
    "  berthd --check --config FILE           reads the settings and says what is wrong with them\n"
    "  berthd --start PROGRAM --config FILE   becomes berth-runner, berth-launcher or "
    "berth-egress\n"
    "                                         with these settings (the units of systemd)\n"
    "  berthd --backup FOLDER --config FILE   copies all but the root key there, also under a "
    "Berth\n"
    "                                         that runs\n"
    "  berthd --restore FOLDER|FILE --config FILE\n"
    "                                         puts it back, where no store is; also the file of\n"
    "                                         'berth backup'\n"
    "  berthd --version | --help\n"
    "\n"
    "`berth init` makes FILE, the folders and the root key.\n";

struct Arguments {
    std::string config;
    std::optional<int> listen_fd, public_fd;
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

// Number `given`, or the one that systemd hands over by this name; none otherwise.
berth::Fd inherited(std::optional<int> given, const char* name) {
    if (given) return berth::Fd{*given};
    const auto fd = berth::inherited_socket(name);
    return fd ? berth::Fd{*fd} : berth::Fd{};
}

int serve(const Arguments& arguments, berth::Config config) {
    using namespace berth;
    // Requests pass through here with secrets in them: nothing of this process may
    // reach a core file or another process's ptrace.
    make_undumpable();
    App::Sockets sockets{inherited(arguments.listen_fd, "control"),
                         inherited(arguments.public_fd, "public")};
    // Whoever hands over the one decides about the other, too.
    if (!sockets.control) {
        auto control = Listener::bind(config.control_socket(), 0666);
        auto open = control ? Listener::bind(config.public_socket(), 0666) : std::move(control);
        if (!open) {
            log_error(open.error().message);
            return 1;
        }
        sockets = {std::move(*control), std::move(*open)};
    }
    auto app = App::make(std::move(config), std::move(sockets), arguments.config);
    if (!app) {
        log_error(app.error().message);
        return 1;
    }
    return (*app)->run();
}

// The last part of --check: what the settings name is right, too.
int check_kinds_of(const berth::Config& config) {
    const auto program = std::filesystem::read_symlink("/proc/self/exe");
    const berth::KindBook kinds{berth::shipped_kinds(program.parent_path()),
                                config.connector_kinds};
    for (const std::string& trouble : kinds.troubles())
        std::fprintf(stderr, "berthd: %s\n", trouble.c_str());
    if (!kinds.troubles().empty()) return 2;
    return std::puts("the settings are right") < 0 ? 1 : 0;
}

}  // namespace

int main(int argc, char** argv) {
    using namespace berth;
    end_when_out_of_memory("berthd");
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
        } else if ((word == "--listen-fd" || word == "--public-fd") && value != nullptr) {
            auto& fd = word == "--listen-fd" ? arguments.listen_fd : arguments.public_fd;
            fd = to_number<int>(argv[++i]);
            if (!fd || *fd < 3)
                return usage(fmt::format("'{}' needs the number of an inherited socket", word));
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
        if (arguments.check) return check_kinds_of(*config);
        log_to_journal_or_stderr(arguments.all ? "berthd(all)" : "berthd", config->log_level);
        if (std::getenv("BERTH_ROOT_KEY") != nullptr) {
            log_error(
                "the root key is in the environment variable BERTH_ROOT_KEY, where other programs "
                "and crash reports can see it; remove the variable, and give the key by a file "
                "('root_key'), a command ('root_key_command') or a credential of the unit");
            return 2;
        }
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
