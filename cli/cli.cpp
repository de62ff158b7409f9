#include "cli/cli.h"

#include <CLI/CLI.hpp>
#include <algorithm>

#include "cli/commands.h"
#include "cli/output.h"

namespace berth {
namespace {

constexpr const char* kAbout =
    "Berth runs your customers' integrations, each in a sandbox of its own.\n"
    "This program speaks to the daemon 'berthd' through its socket.";

constexpr const char* kMore =
    "The usual course:\n"
    "  berth init                                     once, as root; then start berthd\n"
    "  berth integration create shop-sync --connector shop\n"
    "  berth release create shop-sync ./shop-sync --default\n"
    "  berth tenant create acme --integration shop-sync\n"
    "  berth connection set acme shop api_key=-       reads the secret from standard input\n"
    "  berth tenant sync acme -f                      runs it and follows its log\n"
    "\n"
    "Names and ids are accepted alike; digits alone are an id; 'shop-sync/acme' is tenant\n"
    "'acme' of 'shop-sync'. --socket and --json may stand anywhere.\n"
    "\n"
    "Exit codes:\n"
    "  0  done\n"
    "  1  refused, or it did not work\n"
    "  2  the command line is wrong\n"
    "  3  no daemon at the socket, or no right to speak to it\n"
    "  4  the run that was waited for or followed has not succeeded";

// `berth tenant sync`: the innermost command that was recognised.
std::string command_path(const CLI::App& app) {
    std::string path = "berth";
    const CLI::App* at = &app;
    while (!at->get_subcommands().empty()) {
        at = at->get_subcommands().front();
        path += ' ' + at->get_name();
    }
    return path;
}

// The parser repeats arguments in its messages; what follows a '=' may be a secret.
std::string without_values(const std::string& message) {
    std::string out;
    bool hidden = false;
    for (const char c : message) {
        if (c == ' ' || c == '\n') hidden = false;
        if (!hidden) out += c;
        if (c == '=' && !hidden) {
            hidden = true;
            out += "...";
        }
    }
    return out;
}

std::string lower_first(std::string text) {
    if (text.size() > 1 && text[0] >= 'A' && text[0] <= 'Z' && (text[1] >= 'a' || text[1] == ' '))
        text[0] = static_cast<char>(text[0] - 'A' + 'a');
    return text;
}

Exit perform(Session& session, const Action& action) {
    try {
        auto done = action(session);
        session.io.out.flush();
        if (done) return *done;
        say(session.io, done.error());
        return exit_of(done.error());
    } catch (const SystemError& error) {
        say(session.io, Failure{FailureKind::conflict, error.what(), {}});
        return Exit::failed;
    }
}

// The parser says that a command is required, also when one was given that is not there.
std::string wrong_usage(const CLI::App& app, const CLI::ParseError& error) {
    const auto left = app.remaining(/*recurse=*/true);
    const bool no_command = dynamic_cast<const CLI::RequiredError*>(&error) != nullptr;
    if (no_command && !left.empty() && !left.front().starts_with('-'))
        return fmt::format("there is no command '{}'", shown(left.front()));
    return lower_first(without_values(error.what()));
}

}  // namespace

Exit run_cli(std::vector<std::string> arguments, Io& io) {
    CLI::App app{kAbout, "berth"};
    app.footer(kMore);
    app.fallthrough();
    app.require_subcommand(1);
    app.get_formatter()->column_width(34);
    std::string socket = io.environment("BERTH_SOCKET").value_or("/run/berth/control.sock");
    bool json = false;
    app.add_option("--socket", socket,
                   "the daemon's socket; else $BERTH_SOCKET, else /run/berth/control.sock")
        ->type_name("PATH");
    app.add_flag("--json", json, "print the API's JSON, for programs");

    Action chosen;
    add_catalog_commands(app, chosen);
    add_tenant_commands(app, chosen);
    add_webhook_commands(app, chosen);
    add_run_commands(app, chosen);
    add_schedule_commands(app, chosen);
    add_vault_commands(app, chosen);
    add_job_commands(app, chosen);
    add_authorize_command(app, chosen);
    add_host_commands(app, chosen);

    std::ranges::reverse(arguments);  // the parser takes them from the back
    try {
        app.parse(arguments);
    } catch (const CLI::CallForHelp& help) {
        app.exit(help, io.out, io.err);
        return Exit::ok;
    } catch (const CLI::ParseError& error) {
        say(io,
            Failure{FailureKind::invalid,
                    fmt::format("{}\nsee '{} --help'", wrong_usage(app, error), command_path(app)),
                    {}});
        return Exit::usage;
    }
    Session session{io, socket, json ? Format::json : Format::people};
    return perform(session, chosen);
}

CLI::App& add_group(CLI::App& app, const std::string& name, const std::string& summary) {
    CLI::App& group = *app.add_subcommand(name, summary);
    // Else it repeats the one of `berth --help`.
    group.footer(fmt::format("'berth {} COMMAND --help' has examples.", name));
    group.require_subcommand(1);
    return group;
}

CLI::App& add_command(CLI::App& group, const std::string& name, const std::string& summary,
                      const std::string& examples, Action& chosen, Action action) {
    CLI::App& command = *group.add_subcommand(name, summary);
    command.footer("Examples:\n" + examples);
    command.callback([&chosen, action = std::move(action)] { chosen = action; });
    return command;
}

void add_paging(CLI::App& command, Paging& paging) {
    command.add_option("--limit", paging.limit, "at most so many, up to 500")
        ->check(CLI::Range(1, 500))
        ->capture_default_str();
    command.add_option("--skip", paging.skip, "leave out so many at the beginning")
        ->check(CLI::NonNegativeNumber);
    command.add_option("--sort", paging.sort, "by this field, such as id or created_date")
        ->type_name("FIELD");
    command.add_flag("--desc,!--asc", paging.descending, "the largest first (or last)");
}

void add_trigger_options(CLI::App& command, std::optional<std::string>& idempotency_key,
                         AfterOptions& after) {
    command
        .add_option("--idempotency-key", idempotency_key,
                    "the same key again gives the same trigger; else a random one")
        ->type_name("KEY");
    command.add_flag_function(
        "--wait",
        [&after](std::int64_t) {
            if (after.after == After::nothing) after.after = After::wait;
        },
        "wait for the end of the run");
    command.add_flag_function(
        "-f,--follow", [&after](std::int64_t) { after.after = After::follow; },
        "show its log until its end");
    command
        .add_option_function<std::int64_t>(
            "--timeout",
            [&after](const std::int64_t& seconds) {
                after.timeout = std::chrono::seconds{seconds};
            },
            "wait or follow no longer than this")
        ->type_name("SECONDS")
        ->check(CLI::PositiveNumber);
}

}  // namespace berth
