// A small file system that only this program sees, and what fills it.
#pragma once

#include <sched.h>
#include <sys/mount.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <string>

namespace berth::test {

// A tmpfs on `dir`, in a mount namespace of our own, for as long as this lives.
class SmallDisk {
public:
    SmallDisk(std::filesystem::path dir, const char* size) : dir_{std::move(dir)} {
        static const bool apart = ::unshare(CLONE_NEWNS) == 0 &&
                                  ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
        mounted_ = apart && ::mount("tmpfs", dir_.c_str(), "tmpfs", 0, size) == 0;
        if (!mounted_) std::cout << "skipped: no right to mount a tmpfs" << std::endl;
    }
    SmallDisk(const SmallDisk&) = delete;
    SmallDisk& operator=(const SmallDisk&) = delete;
    ~SmallDisk() {
        if (mounted_) ::umount2(dir_.c_str(), MNT_DETACH);
    }
    // False: skip; where the sandbox is required, that is a failure.
    bool usable() const { return mounted_ || std::getenv("BERTH_REQUIRE_SANDBOX") == nullptr; }
    bool mounted() const { return mounted_; }

    void fill() const {
        std::ofstream out{dir_ / "filler", std::ios::binary};
        const std::string block(4096, 'x');
        while (out.write(block.data(), static_cast<std::streamsize>(block.size())).flush()) {
        }
    }
    void make_room() const { std::filesystem::remove(dir_ / "filler"); }

private:
    std::filesystem::path dir_;
    bool mounted_ = false;
};

}  // namespace berth::test
