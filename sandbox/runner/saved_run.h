// What a live run must not lose with the process of berth-runner, in a memfd that the
// service manager holds for the next one: what it is, how far it has come, and what it
// said that berthd does not have on its disk. The format has a version: an upgraded runner
// reads what the one before it wrote. Written so that a process killed at any point leaves
// the state before or after a step, never half of one.
//
// There is no plaintext of a secret here but what a script had printed of one and the
// masker held back at that moment; the secrets themselves are the envelopes that came with
// Start.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/fd.h"
#include "sandbox/ipc/codec.h"
#include "sandbox/ipc/messages.h"
#include "sandbox/runner/output.h"

namespace berth::runner {

// What a descriptor is open on: tells it apart from the others of its run.
struct FileId {
    std::uint64_t device = 0;
    std::uint64_t inode = 0;
    template <class V>
    void fields(V& v) {
        v(device, inode);
    }
    bool operator==(const FileId&) const = default;
};

// Written once, when the script has been executed.
struct RunFacts {
    ipc::Started started;
    std::int64_t wall_time_s = 0;
    std::string limits;  // ipc::SandboxLimits, as it lies in memory
    std::vector<std::string> egress_names;
    std::vector<ipc::RunSecret> secrets;  // envelopes
    FileId status, out, err;
    FileId cgroup;           // zero: there is none
    std::uint32_t slot = 0;  // the sandbox's name at the launcher
    std::uint64_t serial = 0;
    template <class V>
    void fields(V& v) {
        v(started, wall_time_s, limits, egress_names, secrets, status, out, err, cgroup, slot,
          serial);
    }
};

// Written after each step.
struct RunProgress {
    std::uint64_t next_seq = 1;
    std::uint32_t restarts = 0;    // of the runner, since it began
    std::int64_t deadline_us = 0;  // by Clock::steady(), which outlives processes
    bool decided = false;          // how it ends, or why it is being stopped:
    std::uint32_t kind = 0;
    std::int64_t number = 0;
    std::string text;
    std::string report;  // ipc::EndReport, once pid 1 has sent it
    RunOutput::Progress output;
    template <class V>
    void fields(V& v) {
        v(next_seq, restarts, deadline_us, decided, kind, number, text, report, output);
    }
};

class SavedRun {
public:
    // A new one. Throws SystemError, as all that writes does.
    SavedRun(const RunFacts& facts, const RunProgress& progress);

    // What an earlier process has left. Nothing when it is none, or of a format that we do
    // not know.
    struct Read;
    static std::optional<Read> read(Fd memfd);

    int fd() const noexcept { return memfd_.get(); }

    // An Output, a Connection or the Ended: joins the state with the next commit.
    template <typename Message>
    void say(const Message& message) {
        if constexpr (std::is_same_v<Message, ipc::Connection>) now_.connections = message.number;
        // Started is among the facts.
        if constexpr (!std::is_same_v<Message, ipc::Started>)
            append(Message::kType, ipc::encode(message));
    }
    void commit(const RunProgress& progress);
    void commit();  // the progress stays
    // berthd has all but what `repeat` says to the function that it is given.
    template <typename Repeat>
    void keep_only(Repeat repeat) {
        const Said before = now_;
        now_ = {before.area ^ 1, before.connections, 0};
        try {
            repeat([this](const auto& message) { say(message); });
            now_.connections = before.connections;
            commit();
        } catch (...) {
            now_ = before;
            throw;
        }
        free_area(before.area);
    }
    std::uint64_t said_bytes() const noexcept { return now_.bytes; }

private:
    // Where what was said lies.
    struct Said {
        std::uint32_t area = 0;
        std::uint64_t connections = 0;  // the last one's number
        std::uint64_t bytes = 0;
    };
    explicit SavedRun(Fd memfd) : memfd_{std::move(memfd)} {}
    void append(ipc::MessageType type, const std::string& payload);
    void free_area(std::uint32_t area) noexcept;

    Fd memfd_;
    std::string progress_;  // encoded, as it was committed last
    std::uint32_t slot_ = 0;
    Said now_;
};

struct SavedRun::Read {
    RunFacts facts;
    RunProgress progress;
    std::uint64_t connections = 0;  // that it has told of
    // What berthd may not have.
    std::vector<ipc::Output> outputs;
    std::vector<ipc::Connection> unconfirmed;
    std::optional<ipc::Ended> ended;
    SavedRun saved;
};

}  // namespace berth::runner
