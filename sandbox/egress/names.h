// The names that one run has asked for: what they were found to be, and the address
// from 198.18.0.0/15 that stands in for each inside the sandbox, so that the address
// a connection was made to says which name was meant.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/callback.h"
#include "base/clock.h"
#include "base/loop/loop.h"
#include "sandbox/egress/address.h"

namespace berth::egress {

struct Found {
    enum class State { found, no_such_name, failed, too_many };
    State state = State::failed;
    std::vector<Address> addresses;
    std::string why;  // when failed
};
// Of too_many: this run waits for as many names as it may at once.
extern const char* const kTooManyNames;

// Asks the host's resolver, in a thread. Thread: loop; `done` comes on it, but not after
// the destructor, which takes back a question that still waits for a thread.
class Lookup {
public:
    Lookup(Loop& loop, const std::string& name, Callback<void(Found)> done);
    Lookup(const Lookup&) = delete;
    Lookup& operator=(const Lookup&) = delete;
    ~Lookup();

private:
    struct Request;
    Request* request_;  // libuv's until it is answered; then nothing
};

// Thread: loop. Look-ups that are not done when it ends are never answered.
class Names {
public:
    // `turn`: see ipc::EgressServe.
    Names(Loop& loop, const Clock& clock, std::uint32_t turn);
    Names(const Names&) = delete;
    Names& operator=(const Names&) = delete;
    ~Names();

    // What was found a moment ago serves again; who asks meanwhile waits with the first.
    void look_up(const std::string& name, Callback<void(Found)> done);

    // The address that stands in for a name; nothing when too many have one.
    std::optional<Address> stand_in(const std::string& name);
    // Nothing for an address that stands for no name of this run.
    std::optional<std::string> name_of(const Address& stand_in) const;
    static bool is_stand_in(const Address& address);

private:
    struct Entry {
        std::vector<Address> addresses;
        SteadyTime found_at;
    };
    void begin(const std::string& name);
    void answer(const std::string& name, const Found& found);

    Loop& loop_;
    const Clock& clock_;
    std::uint32_t first_;  // of our stand-ins, counted from 198.18.0.0
    std::map<std::string, Entry, std::less<>> found_;
    std::map<std::string, std::uint32_t, std::less<>> stand_ins_;
    std::vector<std::string> by_stand_in_;
    using Waiting = std::vector<Callback<void(Found)>>;
    std::map<std::string, Waiting> asked_;
    std::size_t waiting_ = 0;
    std::vector<std::string> queue_;  // names not begun yet
    std::map<std::string, std::unique_ptr<Lookup>> running_;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace berth::egress
