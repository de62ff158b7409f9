// How long until a program in a fresh sandbox has written its first byte, and until
// its end is reported, against the same program from a bare posix_spawn; with
// bubblewrap beside them where it is installed. Goals: warm at most 1.2 times, its end
// 1.3 times; cold 4.5 times.
#include <fmt/format.h>

#include <climits>
#include <cstdio>

#include "bench/sandboxed.h"

using namespace berth;

namespace {

struct Measured {
    bench::Samples first_byte, end;
    void add(const bench::Times& times) {
        first_byte.add(times.first_byte);
        end.add(times.end);
    }
};

std::filesystem::path own_folder() {
    return std::filesystem::read_symlink("/proc/self/exe").parent_path();
}

struct Subject {
    const char* name;
    std::vector<std::string> argv;       // in the sandbox
    std::vector<std::string> bare_argv;  // outside
};

// `other` and the reference in turns. Each subject has a series of its own: the kernel
// takes namespaces apart late, and would charge one for the other's.
template <typename Start>
void series(const char* name, const Subject& subject, int n, Start start) {
    Measured bare, other;
    for (int i = 0; i < n; ++i) {
        bench::wait_for_quiet();
        bare.add(bench::run_bare(subject.bare_argv));
        bench::wait_for_quiet();
        other.add(start());
    }
    bench::print_line("posix_spawn (reference)", bare.first_byte, bare.first_byte);
    bench::print_line(fmt::format("{}: first byte", name), other.first_byte, bare.first_byte);
    bench::print_line(fmt::format("{}: end reported", name), other.end, bare.end);
}

void compare(bench::Launcher& warm, bench::Launcher& cold, const Subject& subject,
             const std::string& bwrap, int n) {
    bench::print_head(subject.name, "µs");
    series("berth-launcher, warm", subject, n, [&] { return warm.run(subject.argv); });
    series("berth-launcher, cold", subject, n, [&] { return cold.run(subject.argv); });
    series("berth-launcher, cold, no network", subject, n,
           [&] { return cold.run(subject.argv, ipc::Network::none); });
    if (bwrap.empty()) return;
    std::vector<std::string> wrapped{
        bwrap,   "--unshare-all", "--die-with-parent", "--ro-bind", "/", "/", "--proc", "/proc",
        "--dev", "/dev"};
    wrapped.insert(wrapped.end(), subject.bare_argv.begin(), subject.bare_argv.end());
    series("bubblewrap", subject, n, [&] { return bench::run_bare(wrapped); });
}

}  // namespace

int main() {
    const auto folder = own_folder();
    const auto program = folder / "first_byte";
    const auto bwrap = bench::program_on_path("bwrap");
    try {
        const std::string binary = (folder / "berth-launcher").string();
        bench::Launcher warm{binary, program, 4};
        bench::Launcher cold{binary, program};
        const int n = bench::times(300);
        compare(warm, cold, {"a static program", {"/app/program"}, {program.string()}}, bwrap, n);
        const std::vector<std::string> sh{"/bin/sh", "-c", "echo x"};
        compare(warm, cold, {"sh -c", sh, sh}, bwrap, n);
        if (bwrap.empty()) fmt::print("\nbubblewrap is not installed: left out\n");
    } catch (const std::exception& failure) {
        fmt::print(stderr, "start_bench: {}\n", failure.what());
        return 1;
    }
    return 0;
}
