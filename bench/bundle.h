// What other sandboxes are given to start a program from: a root folder that shows the
// host's /usr, an OCI bundle around it, and Berth's own system call filter as a file and
// as names. All of it lies in a folder that goes with this object.
#pragma once

#include <string>
#include <vector>

#include "base/file.h"

namespace berth::bench {

class Bundle {
public:
    // `program` is the file at /app/program.
    explicit Bundle(const std::filesystem::path& program);

    const std::filesystem::path& root() const { return root_; }
    // The filter as bubblewrap reads it.
    std::string filter_file() const;
    // Where a program of this bundle may write what is wrong.
    std::string errors_file() const { return (folder_.path() / "errors").string(); }
    // A folder with a config.json that starts `argv` with every namespace, no capability
    // and the same list of system calls; without `confined` as the runtimes' own `spec`
    // writes it: no user namespace, no filter.
    std::string oci(const std::vector<std::string>& argv, bool confined);

private:
    TempDir folder_{"bench-bundle"};
    std::filesystem::path root_;
    int count_ = 0;
};

}  // namespace berth::bench
