#include "sandbox/runner/saved_run.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>

#include "base/error.h"
#include "base/secret.h"
#include "model/limits.h"

namespace berth::runner {
namespace {

// Where things lie. Sparse: only what was written takes memory.
//   0       Head: the version, and which of the two slots counts
//   kFacts  RunFacts
//   slots   Slot, then RunProgress; the one that does not count is the next to be written
//   areas   what was said, one message after another; the other one is for keep_only()
// A change of anything here, or of a struct that is written, is a new kFormat; the one
// before is read as well, for those who upgrade.
constexpr std::uint32_t kFormat = 1;
constexpr std::uint64_t kFacts = 4096;
constexpr std::uint64_t kSlots = 256 * limits::MiB;
constexpr std::uint64_t kSlotBytes = 16 * limits::MiB;
constexpr std::uint64_t kAreas = 512 * limits::MiB;
constexpr std::uint64_t kAreaBytes = 256 * limits::MiB;

struct Head {
    char magic[8] = {'B', 'R', 'T', 'H', 'R', 'U', 'N', '\0'};
    std::uint32_t format = kFormat;
    std::uint32_t slot = 0;  // written last, in one piece: this is the commit
    std::uint64_t facts_bytes = 0;
};

struct Slot {
    std::uint32_t area = 0;
    std::uint32_t reserved = 0;
    std::uint64_t connections = 0;
    std::uint64_t said_bytes = 0;
    std::uint64_t progress_bytes = 0;
};

struct MessageHead {
    std::uint32_t type = 0;
    std::uint32_t bytes = 0;
};

void write_at(const Fd& fd, std::uint64_t at, const void* bytes, std::size_t size) {
    const auto* from = static_cast<const char*>(bytes);
    while (size > 0) {
        const auto n = ::pwrite(fd.get(), from, size, static_cast<off_t>(at));
        if (n < 0 && errno == EINTR) continue;
        check(n, "writing the state of a run");
        from += n;
        at += static_cast<std::uint64_t>(n);
        size -= static_cast<std::size_t>(n);
    }
}

// False when it is not there in full.
bool read_at(const Fd& fd, std::uint64_t at, void* bytes, std::size_t size) {
    return ::pread(fd.get(), bytes, size, static_cast<off_t>(at)) == static_cast<ssize_t>(size);
}

std::optional<std::string> read_text(const Fd& fd, std::uint64_t at, std::uint64_t size,
                                     std::uint64_t most) {
    if (size > most) return {};
    std::string text(size, '\0');
    if (!read_at(fd, at, text.data(), size)) return {};
    return text;
}

// False when it is none that a run says.
bool take_message(ipc::MessageType type, std::string_view payload, SavedRun::Read& into) {
    const auto keep = [&](auto& where, auto message) {
        if (message) where.push_back(std::move(*message));
        return message.has_value();
    };
    if (type == ipc::MessageType::output)
        return keep(into.outputs, ipc::decode<ipc::Output>(payload));
    if (type == ipc::MessageType::connection)
        return keep(into.unconfirmed, ipc::decode<ipc::Connection>(payload));
    if (type != ipc::MessageType::ended) return false;
    into.ended = ipc::decode<ipc::Ended>(payload);
    return into.ended.has_value();
}

bool take_messages(std::string_view said, SavedRun::Read& into) {
    while (!said.empty()) {
        MessageHead head;
        if (said.size() < sizeof head) return false;
        std::memcpy(&head, said.data(), sizeof head);
        said.remove_prefix(sizeof head);
        if (said.size() < head.bytes) return false;
        const auto type = static_cast<ipc::MessageType>(head.type);
        if (!take_message(type, said.substr(0, head.bytes), into)) return false;
        said.remove_prefix(head.bytes);
    }
    return true;
}

}  // namespace

SavedRun::SavedRun(const RunFacts& facts, const RunProgress& progress)
    : memfd_{check(::memfd_create("berth-run", MFD_CLOEXEC), "making room for a run's state")} {
    const std::string text = ipc::encode(facts);
    if (text.size() > kSlots - kFacts) throw SystemError{EFBIG, "keeping the facts of a run"};
    Head head;
    head.facts_bytes = text.size();
    write_at(memfd_, kFacts, text.data(), text.size());
    write_at(memfd_, 0, &head, sizeof head);
    commit(progress);
}

std::optional<SavedRun::Read> SavedRun::read(Fd memfd) {
    Head head;
    if (!read_at(memfd, 0, &head, sizeof head)) return {};
    if (std::memcmp(head.magic, Head{}.magic, sizeof head.magic) != 0 || head.format != kFormat ||
        head.slot > 1)
        return {};
    const auto facts_text = read_text(memfd, kFacts, head.facts_bytes, kSlots - kFacts);
    const std::uint64_t slot_at = kSlots + head.slot * kSlotBytes;
    Slot slot;
    if (!facts_text || !read_at(memfd, slot_at, &slot, sizeof slot) || slot.area > 1) return {};
    auto progress_text =
        read_text(memfd, slot_at + sizeof slot, slot.progress_bytes, kSlotBytes - sizeof slot);
    const auto said_text =
        read_text(memfd, kAreas + slot.area * kAreaBytes, slot.said_bytes, kAreaBytes);
    if (!progress_text || !said_text) return {};
    auto facts = ipc::decode<RunFacts>(*facts_text);
    auto progress = ipc::decode<RunProgress>(*progress_text);
    if (!facts || !progress) return {};

    SavedRun saved{std::move(memfd)};
    saved.progress_ = std::move(*progress_text);
    saved.slot_ = head.slot;
    saved.now_ = {slot.area, slot.connections, slot.said_bytes};
    Read read{std::move(*facts), std::move(*progress), slot.connections, {}, {}, {},
              std::move(saved)};
    if (!take_messages(*said_text, read)) return {};
    return read;
}

void SavedRun::append(ipc::MessageType type, const std::string& payload) {
    const MessageHead head{static_cast<std::uint32_t>(type),
                           static_cast<std::uint32_t>(payload.size())};
    std::string record(sizeof head, '\0');
    std::memcpy(record.data(), &head, sizeof head);
    record += payload;
    if (now_.bytes + record.size() > kAreaBytes) throw SystemError{EFBIG, "keeping a message"};
    write_at(memfd_, kAreas + now_.area * kAreaBytes + now_.bytes, record.data(), record.size());
    now_.bytes += record.size();
}

void SavedRun::commit(const RunProgress& progress) {
    cleanse(progress_.data(), progress_.size());  // it may hold a secret's beginning
    progress_ = ipc::encode(progress);
    commit();
}

void SavedRun::commit() {
    const std::uint32_t next = slot_ ^ 1;
    const std::uint64_t at = kSlots + next * kSlotBytes;
    const Slot slot{now_.area, 0, now_.connections, now_.bytes, progress_.size()};
    if (progress_.size() > kSlotBytes - sizeof slot) throw SystemError{EFBIG, "keeping progress"};
    write_at(memfd_, at + sizeof slot, progress_.data(), progress_.size());
    write_at(memfd_, at, &slot, sizeof slot);
    write_at(memfd_, offsetof(Head, slot), &next, sizeof next);
    slot_ = next;
}

// The memory goes back.
void SavedRun::free_area(std::uint32_t area) noexcept {
    (void)::fallocate(memfd_.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                      static_cast<off_t>(kAreas + area * kAreaBytes), kAreaBytes);
}

}  // namespace berth::runner
