// A disk in memory. It keeps what was synced apart from what was only written, so
// that a power cut can lose, reorder and tear the rest, names included; and it fails
// on demand. It knows nothing of SQLite (vfs.h puts it below that).
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace berth::test {

// How an access ended.
enum class Io { done, failed, full };

// What shall go wrong, and when.
struct Fault {
    enum class Kind { io_error, no_space, short_write, failed_sync };
    Kind kind = Kind::io_error;
    std::uint64_t at = 0;     // hits the at-th access that such a fault can hit, from 1
    bool persistent = false;  // and all later ones
};

// One file, whether or not it has a name (any more).
struct Inode {
    struct Change {
        std::size_t offset = 0;  // for a truncation: the size
        std::string bytes;
        bool truncates = false;
    };
    std::string seen;              // what a reader finds now
    std::string synced;            // what is on the platter for certain
    std::vector<Change> unsynced;  // what came since, in order
};

// Thread: the caller holds a lock (vfs.cpp has one).
class Disk {
public:
    using File = std::shared_ptr<Inode>;

    // Nothing: there is no such file, and it was not to be made.
    std::pair<Io, File> open(const std::string& name, bool create);
    Io read(const File& file, std::size_t offset, std::size_t size, std::string_view& found);
    Io write(const File& file, std::size_t offset, std::string_view bytes);
    Io truncate(const File& file, std::size_t size);
    Io sync(const File& file);
    Io sync_names();  // fsync of the directory
    Io remove(const std::string& name);
    Io grow_shared_memory();
    Io look();  // at a name, at a size
    bool exists(const std::string& name) const;

    // A copy of all that is on it, as if it had been switched off in good order.
    using Image = std::map<std::string, std::string>;
    Image image() const;
    void load(const Image& image);  // no file may be open

    // The power goes during the `changes`-th access from now that changes something.
    void cut_power_after(std::uint64_t changes);
    // Called before each change: what survivors() says then is what a power cut at that
    // moment leaves, and the machine goes on.
    void on_change(std::function<void()> call) { on_change_ = std::move(call); }
    // Of the files whose names begin so.
    Image survivors(std::mt19937_64& random, std::string_view begin) const;
    // Puts this into a file, below whoever has it open.
    void replace(const std::string& name, std::string content);
    bool has_power() const { return powered_; }
    // Of each file, what was synced and some of the rest. No file may be open.
    void restore_power(std::mt19937_64& random);

    void arm(const Fault& fault);
    void disarm();
    std::uint64_t faults_hit() const { return hit_; }
    std::uint64_t changes() const { return changes_; }  // so far
    std::uint64_t syncs() const { return syncs_; }

    // Changes one bit of a file behind everybody's back.
    void flip_bit(const std::string& name, std::size_t bit);

private:
    Io change();  // power: each access that changes something
    Io strike(std::initializer_list<Fault::Kind> kinds);

    std::map<std::string, File> names_;         // as a process sees them
    std::map<std::string, File> synced_names_;  // as they are on the platter
    bool powered_ = true;
    std::uint64_t changes_ = 0;
    std::uint64_t cut_at_ = 0;  // 0: never
    std::function<void()> on_change_;
    std::uint64_t syncs_ = 0;
    std::optional<Fault> fault_;
    std::uint64_t could_hit_ = 0;
    std::uint64_t hit_ = 0;
};

}  // namespace berth::test
