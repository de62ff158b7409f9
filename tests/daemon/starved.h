// berthd in a child process that has no memory left at a moment of the test's choice: the
// N-th operator new from then on fails. Its store is looked at from outside.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/file.h"
#include "control/client.h"

namespace berth::test {

// What is in the store.
struct Look {
    std::map<std::string, std::int64_t> rows;  // by table
    std::uint64_t print = 0;                   // of every value
    std::vector<std::string> broken;           // rules that do not hold
};

class Starved {
public:
    Starved();
    Starved(const Starved&) = delete;
    Starved& operator=(const Starved&) = delete;
    ~Starved();

    // Launches it, and waits until it answers.
    void start();
    // Launches one whose N-th allocation fails, and waits until that has happened.
    void start_short_of(std::int64_t n);

    // The N-th allocation from now on fails. Counts anew.
    void fail_at(std::int64_t n);
    bool enough();  // no further one fails; whether one has
    void count() { fail_at(0); }
    std::int64_t allocations() const;  // since then

    void kill();
    // Waits for its end; its wait status.
    int wait();
    // Asks it to end and finds what it leaks on the way; its exit code, 23 for a leak.
    int stop();

    Look look() const;
    std::string said() const;  // on stderr, of all that were started
    const std::filesystem::path& root() const { return root_.path(); }
    std::filesystem::path socket() const { return root() / "run" / "control.sock"; }
    std::filesystem::path store() const { return root() / "state" / "store" / "berth.db"; }

private:
    [[noreturn]] void live() const;
    void launch();
    bool answers() const;
    bool met() const;
    bool ended();  // without waiting
    void while_asked(const std::function<bool()>& enough);

    struct Page;
    TempDir root_{"berth-starved"};
    Page* page_ = nullptr;  // shared with the child
    pid_t pid_ = -1;
    int status_ = 0;
};

}  // namespace berth::test
