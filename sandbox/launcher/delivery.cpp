#include "sandbox/launcher/delivery.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>

#include "base/fd.h"
#include "sandbox/launcher/inside.h"
#include "sandbox/launcher/kernel.h"

// The linker's names for where the program's text begins and ends.
extern "C" const char __executable_start, etext;

namespace berth::launcher {
namespace {

using ipc::Step;

constexpr int kStreams = 3;
constexpr std::size_t kUsualPointers = 512;
constexpr std::uintptr_t kPage = 4096;

// Of pid 2 alone: it is forked before anything is written here.
alignas(kPage) char g_packet[ipc::kPlanPacketBytes];
alignas(kPage) char* g_pointers[kUsualPointers];

// One packet on the plan socket: a plan, or what the launcher says of the release. Both
// ends of it are trusted, and told apart by their records.
struct Letter {
    std::size_t size = 0;
    int descriptors[kStreams + 1] = {-1, -1, -1, -1};
    int count = 0;
};

// Into g_packet.
Letter receive() {
    Letter letter;
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof letter.descriptors)];
    iovec part{g_packet, sizeof g_packet};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    const ssize_t n = ::recvmsg(kPlanFd, &message, MSG_PEEK | MSG_CMSG_CLOEXEC);
    if (n == 0) ::_exit(0);  // nobody needs this sandbox
    if (n < 0) refuse(Step::plan, errno);
    letter.size = static_cast<std::size_t>(n);
    // What is cut off is refused as incomplete; descriptors are closed with the process.
    if ((message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) return letter;
    const cmsghdr* rights = CMSG_FIRSTHDR(&message);
    if (rights == nullptr || rights->cmsg_level != SOL_SOCKET || rights->cmsg_type != SCM_RIGHTS)
        return letter;
    const std::size_t bytes = std::min(rights->cmsg_len - CMSG_LEN(0), sizeof letter.descriptors);
    std::memcpy(letter.descriptors, CMSG_DATA(rights), bytes);
    letter.count = static_cast<int>(bytes / sizeof(int));
    return letter;
}

// What came with the plan's packet.
struct Post {
    ipc::PlanHeader header;
    std::span<char> memory;
    int streams[kStreams] = {-1, -1, -1};
};

std::span<char> map_sealed(int memfd, std::uint64_t size) {
    // Sealed memory cannot change or shrink under the parser.
    constexpr int kSeals = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW;
    const int seals = ::fcntl(memfd, F_GET_SEALS);
    if (seals < 0 || (seals & kSeals) != kSeals) refuse(Step::plan, EPERM);
    struct stat status {};
    if (::fstat(memfd, &status) < 0) refuse(Step::plan, errno);
    const auto bytes = static_cast<std::size_t>(status.st_size);
    if (bytes != size) refuse(Step::plan, EINVAL);
    void* memory = ::mmap(nullptr, bytes, PROT_READ, MAP_PRIVATE, memfd, 0);
    if (memory == MAP_FAILED) refuse(Step::plan, errno);
    return {static_cast<char*>(memory), bytes};
}

// 0, or EINVAL.
int take_plan(const Letter& letter, Post& post, int& memfd) {
    if (letter.size < sizeof post.header) return EINVAL;
    std::memcpy(&post.header, g_packet, sizeof post.header);
    const bool whole = letter.size == post.header.bytes && letter.count == kStreams;
    const bool apart = letter.size == sizeof post.header && letter.count == kStreams + 1;
    if (!whole && !apart) return EINVAL;
    std::copy(letter.descriptors, letter.descriptors + kStreams, post.streams);
    if (apart) memfd = letter.descriptors[kStreams];
    if (whole) post.memory = {g_packet, letter.size};
    return 0;
}

// The plan and the release come from two processes, in any order. Nothing is refused
// before both have come: one that is left in the socket would hide the reason from the runner.
Post receive_both() {
    Post post;
    ipc::Attached attached;
    int memfd = -1;
    int err = 0;
    bool has_plan = false;
    bool heard = false;
    while (!has_plan || !heard) {
        // The other letter is small, and must not lie over the plan.
        if (has_plan) {
            if (::recv(kPlanFd, &attached, sizeof attached, MSG_PEEK) != sizeof attached)
                ::_exit(0);
            heard = true;
            continue;
        }
        const Letter letter = receive();
        if (!heard && letter.size == sizeof attached) {
            std::memcpy(&attached, g_packet, sizeof attached);
            heard = attached.header.record == ipc::Record::attached;
            if (heard) continue;
        }
        err = take_plan(letter, post, memfd);
        has_plan = true;
    }
    if (err != 0) refuse(Step::plan, err);
    if (attached.step != Step::none) refuse(attached.step, attached.err);
    if (memfd >= 0) post.memory = map_sealed(memfd, post.header.bytes);
    return post;
}

std::span<char*> pointers_for(std::size_t count) {
    if (count <= kUsualPointers) return {g_pointers, count};
    void* memory = ::mmap(nullptr, count * sizeof(char*), PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) refuse(Step::plan, errno);
    return {static_cast<char**>(memory), count};
}

int write_all(int fd, std::span<const char> content) {
    while (!content.empty()) {
        const ssize_t n = ::write(fd, content.data(), content.size());
        if (n < 0) return errno;
        content = content.subspan(static_cast<std::size_t>(n));
    }
    return 0;
}

int write_file(int work, const File& file) {
    char path[4096];
    const std::size_t length = std::strlen(file.name);
    if (length >= sizeof path) return ENAMETOOLONG;
    for (std::size_t i = 0; i < length; ++i) {
        if (file.name[i] == '/') {
            path[i] = '\0';
            if (::mkdirat(work, path, 0755) < 0 && errno != EEXIST) return errno;
        }
        path[i] = file.name[i];
    }
    path[length] = '\0';
    const Fd to{open_beneath(work, path, O_WRONLY | O_CREAT | O_EXCL, file.mode)};
    if (!to) return errno;
    return write_all(to.get(), file.content);
}

}  // namespace

void refuse(Step step, int err) noexcept {
    accept_delivery();
    ipc::PlanFailed failed;
    failed.step = step;
    failed.err = err;
    (void)::send(kPlanFd, &failed, sizeof failed, MSG_NOSIGNAL);
    ::_exit(126);
}

int look_without_reading() noexcept {
    const int from = 0;
    return errno_of(::setsockopt(kPlanFd, SOL_SOCKET, SO_PEEK_OFF, &from, sizeof from));
}

void accept_delivery() noexcept {
    char byte = 0;
    while (::recv(kPlanFd, &byte, sizeof byte, MSG_DONTWAIT) > 0) {
    }
}

int touch_pages() noexcept {
    // Also what the stack will grow by.
    alignas(16) volatile char stack[4 * kPage];
    for (std::uintptr_t at = 0; at < sizeof stack; at += kPage)
        stack[at] = 0;
    for (std::uintptr_t at = 0; at < sizeof g_packet; at += kPage)
        static_cast<volatile char*>(g_packet)[at] = 0;
    reinterpret_cast<volatile char*>(g_pointers)[0] = 0;
    // The program's text is everybody's, but each process maps it for itself.
    const auto begin = reinterpret_cast<std::uintptr_t>(&__executable_start) & ~(kPage - 1);
    const auto end = reinterpret_cast<std::uintptr_t>(&etext);
    if (::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_POPULATE_READ) < 0 &&
        errno != EINVAL)  // before Linux 5.14
        return errno;
    return 0;
}

Delivery receive_delivery() noexcept {
    const Post post = receive_both();
    const std::size_t count = plan_pointers(post.header);
    if (count == 0) refuse(Step::plan, EINVAL);
    Delivery delivery;
    delivery.limits = post.header.limits;
    std::copy(post.streams, post.streams + kStreams, delivery.streams);
    if (const int err = parse_plan(post.header, post.memory, pointers_for(count), delivery.plan);
        err != 0)
        refuse(Step::plan, err);
    return delivery;
}

void write_files(std::span<char> files) noexcept {
    if (files.empty()) return;
    const Fd work{::open("/work", O_PATH | O_DIRECTORY | O_CLOEXEC)};
    if (!work) refuse(Step::plan_files, errno);
    for (File file; next_file(files, file);)
        if (const int err = write_file(work.get(), file); err != 0) refuse(Step::plan_files, err);
}

}  // namespace berth::launcher
