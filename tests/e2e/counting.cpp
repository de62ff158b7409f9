#include "tests/e2e/counting.h"

#include <fmt/format.h>
#include <signal.h>

#include <catch2/catch.hpp>
#include <map>

#include "base/text.h"

namespace berth::test {

std::string counting_script(int lines, const std::string& pause) {
    const std::string rest = lines == 1 ? "" : " " + std::string(88, '.');
    return fmt::format(
        "i=0; until [ -e go ]; do n=0; while [ $n -lt {} ]; do n=$((n+1)); i=$((i+1)); "
        "echo line $i{} >&2; done; sleep {}; done; echo '{{\"lines\":'$i'}}'",
        lines, rest, pause);
}

Script start_script(Daemon& daemon, std::int64_t tenant) {
    Script script;
    script.trigger = daemon.sync(tenant);
    REQUIRE(eventually([&] {
        const auto answer =
            daemon.request("GET", "/v2/runs/triggers/" + script.trigger + "/status");
        if (answer.status != 200) return false;
        const json status = json::parse(answer.body);
        script.run = status["run_id"];
        return status["state"] == "running";
    }));
    return script;
}

std::vector<std::string> lines_of(Daemon& daemon, std::int64_t run) {
    const auto log = daemon.run_log(run, "stderr");
    auto lines = split(log, '\n');
    REQUIRE_FALSE(lines.empty());
    lines.pop_back();  // after the last newline
    return {lines.begin(), lines.end()};
}

void wait_for_more(Daemon& daemon, std::int64_t run) {
    const auto before = lines_of(daemon, run).size();
    REQUIRE(eventually([&] { return lines_of(daemon, run).size() > before + 5; }));
}

void let_go(Daemon& daemon) {
    for (const auto& release : std::filesystem::directory_iterator{daemon.state_dir() / "releases"})
        write_file_atomically(release.path() / "go", "", 0644);
}

int check_all_but_lost(Daemon& daemon, const Script& script) {
    const json run = daemon.wait_run(script.trigger);
    INFO(run.dump() << "\n" << daemon.log());
    REQUIRE(run["state"] == "succeeded");
    CHECK(run["attempt"] == 1);
    const int printed = json::parse(run["std_out"].get<std::string>())["lines"];
    const auto lines = lines_of(daemon, script.run);
    int last = 0;
    for (const auto& line : lines) {
        const auto number = to_number<int>(split(line, ' ').at(1));
        if (!number || *number <= last) FAIL("after line " << last << ": " << line);
        last = *number;
    }
    CHECK(last <= printed);
    return printed - static_cast<int>(lines.size());
}

void check_whole(Daemon& daemon, const Script& script) {
    CHECK(check_all_but_lost(daemon, script) == 0);
}

void end_daemons(Daemon& daemon, const std::vector<std::string>& programs, int signo) {
    std::map<std::string, pid_t> before;
    for (const auto& program : programs) {
        before[program] = daemon.pid_of(program);
        INFO(program << "\n" << daemon.log());
        REQUIRE(before[program] > 0);
    }
    for (const auto& [program, pid] : before)
        REQUIRE(::kill(pid, signo) == 0);
    REQUIRE(eventually([&] {
        for (const auto& [program, pid] : before)
            if (const pid_t now = daemon.pid_of(program); now <= 0 || now == pid) return false;
        return true;
    }));
}

}  // namespace berth::test
