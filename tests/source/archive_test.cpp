#include "source/archive.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <catch2/catch.hpp>
#include <functional>

#include "base/fd.h"
#include "base/file.h"
#include "base/pack.h"

using namespace berth;
namespace fs = std::filesystem;

namespace {

struct Item {
    Item(std::string path_, unsigned kind_ = AE_IFREG, std::string content_ = "",
         unsigned mode_ = 0644)
        : path{std::move(path_)}, kind{kind_}, content{std::move(content_)}, mode{mode_} {}
    std::string path;
    unsigned kind;        // 0: a hard link
    std::string content;  // of a file; where a link leads
    unsigned mode;
};

std::string tar_of(const std::vector<Item>& items, int filter = ARCHIVE_FILTER_NONE) {
    std::string bytes(16 << 20, '\0');
    std::size_t used = 0;
    archive* out = archive_write_new();
    archive_write_set_format_pax_restricted(out);
    archive_write_add_filter(out, filter);
    archive_write_set_options(out, "hdrcharset=BINARY");
    REQUIRE(archive_write_open_memory(out, bytes.data(), bytes.size(), &used) == ARCHIVE_OK);
    for (const Item& item : items) {
        archive_entry* entry = archive_entry_new();
        archive_entry_copy_pathname(entry, item.path.c_str());
        archive_entry_set_filetype(entry, item.kind);
        archive_entry_set_perm(entry, static_cast<mode_t>(item.mode));
        if (item.kind == AE_IFLNK) archive_entry_copy_symlink(entry, item.content.c_str());
        if (item.kind == 0) {
            archive_entry_set_filetype(entry, AE_IFREG);
            archive_entry_copy_hardlink(entry, item.content.c_str());
        }
        if (item.kind == AE_IFREG)
            archive_entry_set_size(entry, static_cast<std::int64_t>(item.content.size()));
        REQUIRE(archive_write_header(out, entry) == ARCHIVE_OK);
        if (item.kind == AE_IFREG)
            archive_write_data(out, item.content.data(), item.content.size());
        archive_entry_free(entry);
    }
    archive_write_close(out);
    archive_write_free(out);
    bytes.resize(used);
    return bytes;
}

std::string pack(const fs::path& dir) {
    const Fd out{::memfd_create("tar", MFD_CLOEXEC)};
    const auto size = pack_directory(dir, out.get());
    if (!size) return size.error().message;
    std::string bytes(*size, '\0');
    REQUIRE(::pread(out.get(), bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(*size));
    return bytes;
}

std::string refusal(const std::vector<Item>& items, FailureKind kind = FailureKind::unprocessable,
                    const UnpackLimits& limits = {}) {
    const TempDir root{"berth-unpack"};
    fs::create_directory(root.path() / "in");
    const Fd dir{::open((root.path() / "in").c_str(), O_RDONLY | O_DIRECTORY)};
    const auto unpacked = unpack(tar_of(items), dir.get(), limits);
    // Nothing has been made beside the folder, whatever was tried.
    CHECK(std::distance(fs::directory_iterator{root.path()}, {}) == 1);
    if (unpacked) return "unpacked";
    CHECK(unpacked.error().kind == kind);
    return unpacked.error().message;
}

void make_tree(const fs::path& dir) {
    fs::create_directories(dir / "src/empty");
    write_file_atomically(dir / "PANDIUM.yaml", "version: 0.4\n", 0600);
    write_file_atomically(dir / "src/run.sh", "#!/bin/sh\n", 0700);
    write_file_atomically(dir / "src/é ü.txt", std::string(100'000, 'x'), 0644);
    write_file_atomically(dir / ("src/" + std::string(200, 'n')), "long name", 0644);
    fs::create_symlink("../PANDIUM.yaml", dir / "src/manifest");
    fs::create_directories(dir / ".git/objects");
    write_file_atomically(dir / ".git/HEAD", "ref", 0644);
}

unsigned mode_of(const fs::path& path) {
    return static_cast<unsigned>(fs::symlink_status(path).permissions());
}

}  // namespace

TEST_CASE("a folder comes back from its archive as it was", "[source]") {
    const TempDir root{"berth-archive"};
    make_tree(root.path() / "a");
    fs::create_directory(root.path() / "out");
    const Fd out{::open((root.path() / "out").c_str(), O_RDONLY | O_DIRECTORY)};
    const auto unpacked = unpack(pack(root.path() / "a"), out.get());
    INFO((unpacked ? "" : unpacked.error().message));
    REQUIRE(unpacked);
    const fs::path made = root.path() / "out";
    CHECK(read_file(made / "src/é ü.txt", 1 << 20)->size() == 100'000);
    CHECK(read_file(made / "src" / std::string(200, 'n'), 100).value() == "long name");
    CHECK(fs::read_symlink(made / "src/manifest") == "../PANDIUM.yaml");
    CHECK(fs::is_directory(made / "src/empty"));
    CHECK_FALSE(fs::exists(made / ".git"));
    CHECK(mode_of(made / "PANDIUM.yaml") == 0644);
    CHECK(mode_of(made / "src/run.sh") == 0755);
    fs::remove_all(root.path() / "a/.git");
    CHECK(content_hash(made) == content_hash(root.path() / "a"));
}

TEST_CASE("the same folder packs to the same bytes, whatever its times and order", "[source]") {
    const TempDir root{"berth-archive"};
    make_tree(root.path() / "a");
    make_tree(root.path() / "b");
    write_file_atomically(root.path() / "b/src/run.sh", "#!/bin/sh\n", 0555);
    fs::last_write_time(root.path() / "b/PANDIUM.yaml", fs::file_time_type{});
    CHECK(pack(root.path() / "a") == pack(root.path() / "b"));
    const auto hash = content_hash(root.path() / "a");
    CHECK(hash == content_hash(root.path() / "b"));
    CHECK(hash.size() == 64);
}

TEST_CASE("any difference in content is a difference in hash", "[source]") {
    const TempDir root{"berth-archive"};
    const auto hash_after = [&](const std::function<void(const fs::path&)>& change) {
        fs::remove_all(root.path() / "a");
        make_tree(root.path() / "a");
        change(root.path() / "a");
        return content_hash(root.path() / "a");
    };
    const auto hash = hash_after([](const fs::path&) {});
    CHECK(hash != hash_after([](const fs::path& a) { fs::remove(a / "src/empty"); }));
    CHECK(hash != hash_after([](const fs::path& a) { ::chmod((a / "src/run.sh").c_str(), 0644); }));
    CHECK(hash !=
          hash_after([](const fs::path& a) { fs::rename(a / "src/run.sh", a / "src/run2.sh"); }));
    CHECK(hash != hash_after([](const fs::path& a) {
              write_file_atomically(a / "src/run.sh", "#!/bin/sh\n\n", 0755);
          }));
    CHECK(hash != hash_after([](const fs::path& a) {
              fs::remove(a / "src/manifest");
              fs::create_symlink("run.sh", a / "src/manifest");
          }));
}

TEST_CASE("what a release cannot hold is not packed", "[source]") {
    const TempDir root{"berth-archive"};
    CHECK_THAT(pack(root.path() / "none"), Catch::StartsWith("there is no folder '"));
    REQUIRE(::mkfifo((root.path() / "pipe").c_str(), 0600) == 0);
    CHECK(pack(root.path()) ==
          "'pipe' is a socket, a device or a fifo, which a release cannot hold; remove it from the "
          "folder");
    fs::remove(root.path() / "pipe");
    fs::create_symlink("/etc/passwd", root.path() / "link");
    CHECK(pack(root.path()) ==
          "link 'link' leads to '/etc/passwd', outside of the folder; copy the file in its place");
}

TEST_CASE("a link counts as inside only if no other link can change that", "[source]") {
    CHECK(link_stays_inside("a", "b"));
    CHECK(link_stays_inside("a/b/c", "../../d"));
    CHECK(link_stays_inside("a/b/c", "./../b"));
    CHECK_FALSE(link_stays_inside("a/b/c", "../../../d"));
    CHECK_FALSE(link_stays_inside("a", "/etc"));
    CHECK_FALSE(link_stays_inside("a", ""));
    CHECK_FALSE(link_stays_inside("a", ".."));
    // `p/q` might be a link to the root: then `p/q/..` is outside.
    CHECK_FALSE(link_stays_inside("a", "p/q/.."));
}

TEST_CASE("a hostile archive is refused and leaves nothing outside", "[source]") {
    CHECK(refusal({{"/etc/x"}}) == "'/etc/x' in the archive has an absolute path");
    CHECK(refusal({{"../x"}}) == "'../x' in the archive has '..' in its path");
    CHECK(refusal({{"a/../../x"}}) == "'a/../../x' in the archive has '..' in its path");
    CHECK(refusal({{"l", AE_IFLNK, "/"}, {"l/x"}}) ==
          "'l' in the archive is a link to '/', which leads out of the release");
    CHECK(refusal({{"a/l", AE_IFLNK, "../.."}}) ==
          "'a/l' in the archive is a link to '../..', which leads out of the release");
    CHECK(refusal({{"d", AE_IFDIR}, {"l", AE_IFLNK, "d"}, {"l/x"}}) ==
          "'l/x' in the archive lies below something that is not a folder");
    CHECK(refusal({{"a"}, {"a/b"}}) ==
          "'a/b' in the archive lies below something that is not a folder");
    CHECK(refusal({{"a"}, {"./a"}}) == "'./a' in the archive comes twice");
    CHECK(refusal({{"l", AE_IFLNK, "x"}, {"l"}}) == "'l' in the archive comes twice");
    CHECK(refusal({{"a"}, {"b", 0, "a"}}) ==
          "'b' in the archive is a hard link; pack it as a file of its own");
    CHECK(refusal({{"f", AE_IFIFO}}) ==
          "'f' in the archive is a device, a fifo or a socket, which a release cannot hold");
    CHECK(refusal({{"c", AE_IFCHR}}) ==
          "'c' in the archive is a device, a fifo or a socket, which a release cannot hold");
    CHECK_THAT(refusal({{std::string(300, 'n')}}), Catch::Contains("a name longer than 255 bytes"));
    CHECK(refusal({}) == "the archive holds no files");
    CHECK(refusal({{"./", AE_IFDIR}}) == "the archive holds no files");
}

TEST_CASE("an archive is unpacked only up to its limits", "[source]") {
    const UnpackLimits limits{3, 1000};
    CHECK(refusal({{"a"}, {"b"}, {"c"}}, FailureKind::over_limit, limits) == "unpacked");
    CHECK(refusal({{"a"}, {"b"}, {"c"}, {"d"}}, FailureKind::over_limit, limits) ==
          "the archive holds more than 3 files");
    CHECK(refusal({{"a/b/c/d"}}, FailureKind::over_limit, limits) ==
          "the archive holds more than 3 files");  // folders count, also those not named
    CHECK(refusal({{"a", AE_IFREG, std::string(600, 'x')}, {"b", AE_IFREG, std::string(401, 'x')}},
                  FailureKind::over_limit,
                  limits) == "the archive unpacks to more than 1000 bytes");
}

TEST_CASE("what is not a tar is refused", "[source]") {
    const TempDir root{"berth-unpack"};
    const Fd dir{::open(root.path().c_str(), O_RDONLY | O_DIRECTORY)};
    const auto trouble = [&](const std::string& bytes) {
        const auto unpacked = unpack(bytes, dir.get());
        if (unpacked) return std::string{"unpacked"};
        CHECK(unpacked.error().kind == FailureKind::invalid);
        return unpacked.error().message;
    };
    CHECK_THAT(trouble("not a tar at all"),
               Catch::StartsWith("the archive cannot be read as a tar: "));
    CHECK_THAT(trouble(""), Catch::StartsWith("the archive cannot be read as a tar: "));
    const std::string whole = tar_of({{"a", AE_IFREG, std::string(5000, 'x')}});
    CHECK_THAT(trouble(whole.substr(0, 3000)),
               Catch::StartsWith("the archive cannot be read as a tar: "));
}

TEST_CASE("a release is stored once, read-only, under its content hash", "[source]") {
    const TempDir root{"berth-releases"};
    const std::vector<Item> items{{"PANDIUM.yaml", AE_IFREG, "version: 0.4\n"},
                                  {"bin/run", AE_IFREG, "#!/bin/sh\n", 0755}};
    const auto stored = store_release(tar_of(items), root.path());
    REQUIRE(stored);
    CHECK(stored->dir == root.path() / stored->hash);
    CHECK(content_hash(stored->dir) == stored->hash);
    CHECK(mode_of(stored->dir) == 0555);
    CHECK(mode_of(stored->dir / "bin") == 0555);
    CHECK(mode_of(stored->dir / "bin/run") == 0555);
    CHECK(mode_of(stored->dir / "PANDIUM.yaml") == 0444);

    const std::vector<Item> turned{items[1], items[0]};
    for (const int filter : {ARCHIVE_FILTER_NONE, ARCHIVE_FILTER_GZIP, ARCHIVE_FILTER_ZSTD}) {
        const auto again = store_release(tar_of(turned, filter), root.path());
        REQUIRE(again);
        CHECK(again->hash == stored->hash);
    }
    CHECK_FALSE(store_release(tar_of({{"x"}, {"../y"}}), root.path()));
    CHECK(std::distance(fs::directory_iterator{root.path()}, {}) == 1);
}

TEST_CASE("what a crash left of a release is cleared at the next start", "[source]") {
    const TempDir root{"berth-releases"};
    fs::create_directories(root.path() / ".new-0123/deep");
    ::chmod((root.path() / ".new-0123/deep").c_str(), 0555);
    fs::create_directories(root.path() / "0123");
    remove_unfinished_releases(root.path());
    CHECK_FALSE(fs::exists(root.path() / ".new-0123"));
    CHECK(fs::exists(root.path() / "0123"));
    remove_unfinished_releases(root.path() / "none");
}
