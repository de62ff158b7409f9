// One sandbox in the runner's hands: its plan, its streams and its end; see the header.
#include "tests/sandbox/sandbox.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <array>
#include <catch2/catch.hpp>

#include "base/error.h"
#include "base/pipe.h"
#include "tests/sandbox/packets.h"

namespace berth::sandbox_test {
namespace {

template <typename Record>
void append(std::string& to, const Record& record) {
    to.append(reinterpret_cast<const char*>(&record), sizeof record);
}

std::string read_all(int fd) {
    std::string all;
    std::array<char, 65536> part;
    for (;;) {
        pollfd watched{fd, POLLIN, 0};
        REQUIRE(::poll(&watched, 1, kDeadlineMs) == 1);
        const ssize_t n = ::read(fd, part.data(), part.size());
        if (n <= 0) return all;
        all.append(part.data(), static_cast<std::size_t>(n));
    }
}

// The script opens /dev/stdout as a user who does not own the pipe.
Pipe open_pipe() {
    Pipe pipe = make_pipe();
    check(::fchmod(pipe.write.get(), 0666), "opening a pipe to the script");
    return pipe;
}

ipc::PlanHeader plan_of(const Run& run, const ipc::SandboxLimits& limits, std::string& memory) {
    std::string strings;
    const auto add = [&strings](const std::string& text) {
        strings.append(text.c_str(), text.size() + 1);
    };
    for (const auto& text : run.argv)
        add(text);
    for (const auto& text : run.env)
        add(text);
    add(run.folder);
    std::string files;
    for (const Run::File& file : run.files) {
        append(files, ipc::PlanFile{static_cast<std::uint32_t>(file.name.size() + 1), 0400,
                                    file.content.size()});
        files.append(file.name.c_str(), file.name.size() + 1);
        files += file.content;
    }
    ipc::PlanHeader header;
    header.bytes = sizeof header + strings.size() + files.size();
    header.argc = static_cast<std::uint32_t>(run.argv.size());
    header.envc = static_cast<std::uint32_t>(run.env.size());
    header.filec = static_cast<std::uint32_t>(run.files.size());
    header.strings_bytes = static_cast<std::uint32_t>(strings.size());
    header.limits = limits;
    append(memory, header);
    memory += strings + files;
    return header;
}

}  // namespace

Run probe(std::vector<std::string> arguments) {
    Run run;
    run.argv = {"/app/probe"};
    run.argv.insert(run.argv.end(), arguments.begin(), arguments.end());
    return run;
}

// The streams, and behind them the memory with the plan where it is not in the packet.
void Sandbox::send_plan(std::string packet, Fd memory) {
    Pipe in = open_pipe();
    Pipe out = open_pipe();
    Pipe err = open_pipe();
    const int fds[] = {in.read.get(), out.write.get(), err.write.get(), memory.get()};
    const std::size_t bytes = (memory ? 4 : 3) * sizeof(int);
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof fds)> control{};
    iovec part{packet.data(), packet.size()};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = CMSG_SPACE(bytes);
    cmsghdr* rights = CMSG_FIRSTHDR(&message);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(bytes);
    std::memcpy(CMSG_DATA(rights), fds, bytes);
    check(static_cast<int>(::sendmsg(plan.get(), &message, MSG_NOSIGNAL)), "sending a plan");
    input_ = std::move(in.write);
    output_ = std::move(out.read);
    errors_ = std::move(err.read);
    out.write.reset();
    err.write.reset();
}

std::optional<ipc::PlanFailed> Sandbox::await_exec() {
    std::vector<Fd> none;
    const std::string answer = receive(plan.get(), none);
    if (answer.empty()) return {};
    const auto failed = as<ipc::PlanFailed>(answer);
    REQUIRE(failed);
    return failed;
}

std::optional<ipc::PlanFailed> Sandbox::start_with(const ipc::PlanHeader& packet,
                                                   const std::string& memory, bool sealed) {
    Fd file{check(::memfd_create("plan", MFD_CLOEXEC | MFD_ALLOW_SEALING), "making a plan")};
    REQUIRE(::write(file.get(), memory.data(), memory.size()) ==
            static_cast<ssize_t>(memory.size()));
    if (sealed)
        check(::fcntl(file.get(), F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW),
              "sealing a plan");
    std::string header;
    append(header, packet);
    send_plan(std::move(header), std::move(file));
    return await_exec();
}

std::optional<ipc::PlanFailed> Sandbox::start(const Run& run) {
    std::string bytes;
    const ipc::PlanHeader header = plan_of(run, limits, bytes);
    if (bytes.size() > ipc::kPlanPacketBytes) return start_with(header, bytes);
    send_plan(std::move(bytes), {});
    return await_exec();
}

void Sandbox::hand_over(const Run& run) {
    std::string bytes;
    (void)plan_of(run, limits, bytes);
    send_plan(std::move(bytes), {});
}

void Sandbox::signal(int signo) {
    ipc::SignalRequest request;
    request.signo = signo;
    REQUIRE(::send(status.get(), &request, sizeof request, MSG_NOSIGNAL) == sizeof request);
}

std::string Sandbox::read_output(std::size_t bytes) {
    std::string got;
    while (got.size() < bytes) {
        pollfd watched{output_.get(), POLLIN, 0};
        REQUIRE(::poll(&watched, 1, kDeadlineMs) == 1);
        std::string part(bytes - got.size(), '\0');
        const ssize_t n = ::read(output_.get(), part.data(), part.size());
        if (n <= 0) break;
        got.append(part, 0, static_cast<std::size_t>(n));
    }
    return got;
}

void Sandbox::await_death() {
    pollfd watched{pidfd.get(), POLLIN, 0};
    REQUIRE(::poll(&watched, 1, kDeadlineMs) == 1);
}

Ended Sandbox::finish() {
    Ended ended;
    if (output_) ended.out = read_all(output_.get());
    if (errors_) ended.err = read_all(errors_.get());
    std::vector<Fd> none;
    ended.report = as<ipc::EndReport>(receive(status.get(), none));
    if (ended.report) {
        const ipc::EndReport expected;
        REQUIRE(ended.report->header.magic == expected.header.magic);
        REQUIRE(ended.report->header.record == ipc::Record::ended);
        REQUIRE(receive(status.get(), none).empty());
    }
    await_death();
    return ended;
}

}  // namespace berth::sandbox_test
