#include "tests/faults/disk.h"

#include <algorithm>
#include <array>

#include "base/assert.h"

namespace berth::test {
namespace {

// The unit that a disk writes; more than one of them never reaches it as a whole.
constexpr std::size_t kSector = 512;

void put(std::string& content, std::size_t offset, std::string_view bytes) {
    if (content.size() < offset + bytes.size()) content.resize(offset + bytes.size(), '\0');
    content.replace(offset, bytes.size(), bytes);
}

void put(std::string& content, const Inode::Change& change) {
    if (change.truncates)
        content.resize(change.offset, '\0');
    else
        put(content, change.offset, change.bytes);
}

std::size_t below(std::mt19937_64& random, std::size_t limit) {
    return std::uniform_int_distribution<std::size_t>{0, limit - 1}(random);
}

// Some of the sectors, in no order; now and then a piece of one.
void put_torn(std::string& content, const Inode::Change& change, std::mt19937_64& random) {
    if (change.truncates) {
        if (below(random, 2) == 0) put(content, change);
        return;
    }
    const std::string_view bytes = change.bytes;
    for (std::size_t at = 0; at < bytes.size();) {
        const std::size_t in_sector = (change.offset + at) % kSector;
        std::size_t size = std::min(kSector - in_sector, bytes.size() - at);
        const auto luck = below(random, 16);
        if (luck == 0)
            put(content, change.offset + at, bytes.substr(at, below(random, size) + 1));
        else if (luck < 9)
            put(content, change.offset + at, bytes.substr(at, size));
        at += size;
    }
}

// What a power cut leaves of a file.
std::string survivor(const Inode& file, std::mt19937_64& random) {
    std::string content = file.synced;
    const auto& changes = file.unsynced;
    if (changes.empty()) return content;
    enum class Fate { nothing, all, first_ones, any_sectors };
    switch (static_cast<Fate>(below(random, 4))) {
        case Fate::nothing: break;
        case Fate::all:
            for (const auto& change : changes)
                put(content, change);
            break;
        case Fate::first_ones: {
            const std::size_t kept = below(random, changes.size());
            for (std::size_t i = 0; i < kept; ++i)
                put(content, changes[i]);
            put_torn(content, changes[kept], random);
            break;
        }
        case Fate::any_sectors:
            for (const auto& change : changes)
                put_torn(content, change, random);
            break;
    }
    return content;
}

Disk::File file_of(std::string content) {
    auto file = std::make_shared<Inode>();
    file->synced = content;
    file->seen = std::move(content);
    return file;
}

}  // namespace

Io Disk::change() {
    if (!powered_) return Io::failed;
    ++changes_;
    if (on_change_) on_change_();
    if (cut_at_ != 0 && changes_ >= cut_at_) powered_ = false;
    return Io::done;  // the last one has been started: it may be there, or a part of it
}

Io Disk::strike(std::initializer_list<Fault::Kind> kinds) {
    if (!powered_) return Io::failed;
    if (!fault_ || std::ranges::find(kinds, fault_->kind) == kinds.end()) return Io::done;
    ++could_hit_;
    if (could_hit_ != fault_->at && !(fault_->persistent && could_hit_ > fault_->at))
        return Io::done;
    ++hit_;
    return fault_->kind == Fault::Kind::no_space ? Io::full : Io::failed;
}

std::pair<Io, Disk::File> Disk::open(const std::string& name, bool create) {
    const auto found = names_.find(name);
    if (found != names_.end()) return {strike({Fault::Kind::io_error}), found->second};
    if (!create) return {strike({Fault::Kind::io_error}), nullptr};
    if (const Io io = strike({Fault::Kind::io_error, Fault::Kind::no_space}); io != Io::done)
        return {io, nullptr};
    if (change() != Io::done) return {Io::failed, nullptr};
    return {Io::done, names_[name] = std::make_shared<Inode>()};
}

Io Disk::read(const File& file, std::size_t offset, std::size_t size, std::string_view& found) {
    found = std::string_view{file->seen}.substr(std::min(offset, file->seen.size()), size);
    return strike({Fault::Kind::io_error});
}

Io Disk::write(const File& file, std::size_t offset, std::string_view bytes) {
    using enum Fault::Kind;
    const Io struck = strike({io_error, no_space, short_write});
    if (struck == Io::failed && powered_ && fault_->kind == short_write)
        bytes = bytes.substr(0, bytes.size() / 2);
    else if (struck != Io::done)
        return struck;
    if (change() != Io::done) return Io::failed;
    put(file->seen, offset, bytes);
    file->unsynced.push_back({offset, std::string{bytes}});
    return struck;
}

Io Disk::truncate(const File& file, std::size_t size) {
    if (const Io io = strike({Fault::Kind::io_error}); io != Io::done) return io;
    if (change() != Io::done) return Io::failed;
    file->unsynced.push_back({size, {}, /*truncates=*/true});
    put(file->seen, file->unsynced.back());
    return Io::done;
}

Io Disk::sync(const File& file) {
    using enum Fault::Kind;
    if (const Io io = strike({io_error, failed_sync}); io != Io::done) {
        // As Linux does: what could not be written is forgotten, and the next sync,
        // which has nothing to do, succeeds.
        if (powered_) file->unsynced.clear();
        return io;
    }
    // A sync during which the power goes may have got anywhere.
    if (change() != Io::done || !powered_) return Io::failed;
    ++syncs_;
    for (const auto& unsynced : file->unsynced)
        put(file->synced, unsynced);
    file->unsynced.clear();
    return Io::done;
}

Io Disk::sync_names() {
    if (change() != Io::done || !powered_) return Io::failed;
    synced_names_ = names_;
    return Io::done;
}

Io Disk::remove(const std::string& name) {
    if (const Io io = strike({Fault::Kind::io_error}); io != Io::done) return io;
    if (change() != Io::done) return Io::failed;
    names_.erase(name);
    return Io::done;
}

Io Disk::grow_shared_memory() { return strike({Fault::Kind::io_error, Fault::Kind::no_space}); }

Io Disk::look() { return strike({Fault::Kind::io_error}); }

bool Disk::exists(const std::string& name) const { return names_.contains(name); }

Disk::Image Disk::image() const {
    Image image;
    for (const auto& [name, file] : names_)
        image[name] = file->seen;
    return image;
}

void Disk::load(const Image& image) {
    names_.clear();
    for (const auto& [name, content] : image)
        names_[name] = file_of(content);
    synced_names_ = names_;
    powered_ = true;
    cut_at_ = 0;
    disarm();
}

void Disk::cut_power_after(std::uint64_t changes) { cut_at_ = changes_ + changes; }

Disk::Image Disk::survivors(std::mt19937_64& random, std::string_view begin) const {
    // A name that was made or removed since the directory was synced: either way.
    std::map<std::string, File> kept = synced_names_;
    for (const auto& [name, file] : names_)
        if (!synced_names_.contains(name) && below(random, 2) == 0) kept[name] = file;
    for (const auto& [name, file] : synced_names_)
        if (!names_.contains(name) && below(random, 2) == 0) kept.erase(name);

    Image image;
    for (const auto& [name, file] : kept)
        if (name.starts_with(begin)) image[name] = survivor(*file, random);
    return image;
}

void Disk::restore_power(std::mt19937_64& random) { load(survivors(random, {})); }

void Disk::replace(const std::string& name, std::string content) {
    File& file = names_[name];
    if (!file) file = std::make_shared<Inode>();
    synced_names_[name] = file;
    file->unsynced.clear();
    file->synced = content;
    file->seen = std::move(content);
}

void Disk::arm(const Fault& fault) {
    fault_ = fault;
    could_hit_ = 0;
    hit_ = 0;
}

void Disk::disarm() { fault_.reset(); }

void Disk::flip_bit(const std::string& name, std::size_t bit) {
    const File& file = names_.at(name);
    BERTH_ASSERT(bit / 8 < file->seen.size());
    file->seen[bit / 8] = static_cast<char>(file->seen[bit / 8] ^ (1 << (bit % 8)));
    file->synced = file->seen;
    file->unsynced.clear();
}

}  // namespace berth::test
