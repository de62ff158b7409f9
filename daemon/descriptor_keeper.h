// The service manager's side of base/descriptor_store.h, for the one program of
// `berthd --all` whose live runs outlive it: keeps what it is sent, and hands it to that
// program's next process as systemd would.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "base/loop/child.h"
#include "base/loop/loop.h"
#include "base/loop/poll.h"

namespace berth {

// Thread: loop. What is kept ends with it.
class DescriptorKeeper {
public:
    // Listens at `socket`, which belongs to `uid`: nobody else can write there. Throws
    // SystemError.
    DescriptorKeeper(Loop& loop, const std::filesystem::path& socket, uid_t uid, gid_t gid);
    DescriptorKeeper(const DescriptorKeeper&) = delete;
    DescriptorKeeper& operator=(const DescriptorKeeper&) = delete;
    ~DescriptorKeeper();

    // `options` with what is kept now, behind the descriptors it has (3 and up, no gap).
    ChildOptions with_kept(ChildOptions options);
    std::size_t size() const { return kept_.size(); }

private:
    void read_all();
    bool read_one();
    void obey(std::string_view text, std::vector<Fd> fds);

    std::string path_;
    Fd socket_;
    std::multimap<std::string, Fd> kept_;
    std::size_t names_bytes_ = 0;
    Poll poll_;
};

}  // namespace berth
