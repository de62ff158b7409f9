// `berth release`: folders of code, frozen.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/fd.h"
#include "base/pack.h"
#include "cli/catalog.h"
#include "cli/fields.h"
#include "cli/resolve.h"
#include "model/limits.h"

namespace berth {
namespace {

// A file without a name: nothing is left behind however this program ends.
Fd nameless_file() {
    const auto dir = std::filesystem::temp_directory_path();
    Fd file{::open(dir.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600)};
    // Not every file system has O_TMPFILE.
    if (!file) file = Fd{::memfd_create("berth-release", MFD_CLOEXEC)};
    check(file.get(), "making a temporary file in '{}'", dir.string());
    return file;
}

// `sh -> host`: what the manifest asks for and what it got.
std::string runtime_text(const Json& release) {
    const std::string base = field(release, "base");
    const std::string runtime = field(release, "runtime");
    return runtime.empty() || runtime == base ? base : fmt::format("{} -> {}", base, runtime);
}

void show(Session& session, const Json& release) {
    Record record;
    record.line("id", field(release, "id"));
    record.line("name", field(release, "name"));
    record.line("tag", field(release, "tag"));
    record.line("integration", field(release, "integration_id"));
    record.line("base", runtime_text(release));
    record.line("note", Cell{field(release, "note"), Tone::warning});
    record.line("run", field(release, "run_command"));
    record.line("build", field(release, "build_command"));
    record.line("manifest", field(release, "config_version"));
    record.line("content", field(release, "content_hash"));
    record.line("created", short_time(field(release, "created_date")));
    session.print(record);
}

Result<Json> upload(Session& session, const std::string& path, const ReleaseUpload& what) {
    session.remark(fmt::format("packing '{}'", what.dir));
    const Fd file = nameless_file();
    auto bytes = pack_directory(what.dir, file.get());
    if (!bytes) return pass_on(bytes);
    if (*bytes > limits::kReleaseUploadBytes)
        return fail(FailureKind::over_limit,
                    "'{}' packs to {}, and a release may be {}; leave out what the script does "
                    "not need",
                    what.dir, size_text(*bytes), size_text(limits::kReleaseUploadBytes));
    check(::lseek(file.get(), 0, SEEK_SET), "reading the packed release");
    session.remark(fmt::format("uploading {}", size_text(*bytes)));
    return session.api().upload(path, file.get());
}

}  // namespace

Result<Exit> release_list(Session& session, const std::string& integration) {
    auto owner = find_integration(session.api(), integration);
    if (!owner) return pass_on(owner);
    auto list = session.api().get(api_path({"integrations", field(*owner, "id"), "releases"}));
    if (!list) return pass_on(list);
    if (session.json()) {
        session.print(*list);
        return Exit::ok;
    }
    if (list->empty()) {
        session.remark(fmt::format(
            "'{0}' has no releases yet; 'berth release create {0} DIR' makes one", integration));
        return Exit::ok;
    }
    const std::string default_id = field(*owner, "default_release_id");
    Table table{{"ID", "NAME", "TAG", "DEFAULT", "BASE", "RUN", "CREATED (UTC)"}};
    for (const Json& release : *list)
        table.row({field(release, "id"), field(release, "name"), field(release, "tag"),
                   Cell{!default_id.empty() && field(release, "id") == default_id ? "yes" : ""},
                   runtime_text(release), field(release, "run_command"),
                   short_time(field(release, "created_date"))});
    session.print(table);
    return Exit::ok;
}

Result<Exit> release_show(Session& session, const std::string& integration,
                          const std::string& release) {
    auto owner = find_integration(session.api(), integration);
    if (!owner) return pass_on(owner);
    auto found = find_release(session.api(), *owner, release);
    if (!found) return pass_on(found);
    if (session.json())
        session.print(*found);
    else
        show(session, *found);
    return Exit::ok;
}

Result<Exit> release_create(Session& session, const ReleaseUpload& what) {
    auto owner = find_integration(session.api(), what.integration);
    if (!owner) return pass_on(owner);
    struct stat info {};
    if (::stat(what.dir.c_str(), &info) != 0 || !S_ISDIR(info.st_mode))
        return fail(FailureKind::invalid, "'{}' is not a folder; give the one that holds {}",
                    what.dir, what.manifest.empty() ? "PANDIUM.yaml" : what.manifest);

    Pairs query;
    if (!what.name.empty()) query.emplace_back("name", what.name);
    if (!what.tag.empty()) query.emplace_back("tag", what.tag);
    if (!what.manifest.empty()) query.emplace_back("path", what.manifest);
    if (what.make_default) query.emplace_back("default", "true");
    auto made =
        upload(session, api_path({"integrations", field(*owner, "id"), "releases"}, query), what);
    if (!made) return pass_on(made);
    if (session.json()) {
        session.print(*made);
        return Exit::ok;
    }
    show(session, *made);
    if (!field(*made, "build_command").empty())
        session.remark(
            "its 'build' line was not run: a local folder is taken as it is; build before "
            "creating the release");
    if (what.make_default)
        session.remark(fmt::format("it is now the default of '{}'", field(*owner, "name")));
    return Exit::ok;
}

}  // namespace berth
