#include "bench/apart.h"

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <ctime>
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/file.h"
#include "base/pipe.h"

namespace berth::bench {
namespace {

using nlohmann::json;

std::string measured(const std::function<json()>& measure) {
    try {
        return json{{"answer", measure()}}.dump();
    } catch (const std::exception& failure) {
        return json{{"failure", failure.what()}}.dump();
    }
}

}  // namespace

json apart(const std::function<json()>& measure) {
    std::fflush(stdout);
    Pipe pipe = make_pipe();
    const pid_t pid = ::fork();
    check(pid, "making a process for a measurement");
    if (pid == 0) {
        pipe.read.reset();
        write_all(pipe.write.get(), measured(measure));
        std::fflush(stdout);
        ::_exit(0);
    }
    pipe.write.reset();
    std::string text;
    char buffer[64 * 1024];
    while (const auto got = check(::read(pipe.read.get(), buffer, sizeof buffer), "reading"))
        text.append(buffer, static_cast<std::size_t>(got));
    int status = 0;
    check(::waitpid(pid, &status, 0), "waiting for a measurement");
    if (text.empty()) throw std::runtime_error{"a measurement ended without an answer"};
    json told = json::parse(text);
    if (told.contains("failure")) throw std::runtime_error{told["failure"].get<std::string>()};
    return told["answer"];
}

std::uint64_t resident_bytes() {
    std::ifstream statm{"/proc/self/statm"};
    std::uint64_t size = 0, resident = 0;
    statm >> size >> resident;
    return resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

double cpu_us() {
    timespec time{};
    check(::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time), "reading the processor time");
    return static_cast<double>(time.tv_sec) * 1e6 + static_cast<double>(time.tv_nsec) / 1e3;
}

}  // namespace berth::bench
