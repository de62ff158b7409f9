// Integrations and their releases.
#include <memory>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/file.h"
#include "daemon/api_impl.h"
#include "model/limits.h"
#include "source/archive.h"
#include "source/manifest.h"
#include "source/runtime.h"
#include "store/connectors.h"
#include "store/integrations.h"
#include "store/releases.h"

namespace berth {
namespace {

// Puts what was given over what there is.
Result<void> apply(const IntegrationInput& input, const Config& config, Integration& integration) {
    if (input.name) integration.name = *input.name;
    if (input.long_name) integration.long_name = *input.long_name;
    if (input.network) integration.network = *input.network;
    if (input.egress_names) integration.egress_names = *input.egress_names;
    if (input.on_lost) integration.on_lost = *input.on_lost;
    if (input.wall_time) integration.wall_time = *input.wall_time;
    if (input.memory_bytes) integration.memory_bytes = *input.memory_bytes;
    if (input.paused) integration.paused = *input.paused;
    if (input.archived) integration.archived = *input.archived;
    if (input.default_release_channel && input.default_release_id)
        return fail_at(FailureKind::unprocessable, "body.default_release_channel",
                       "give default_release_id or default_release_channel, not both");
    if (input.default_release_channel) {
        integration.default_release_channel = input.default_release_channel;
        integration.default_release_id.reset();
    }
    if (input.default_release_id) {
        integration.default_release_id = input.default_release_id;
        integration.default_release_channel.reset();
    }
    // Asked for now, or had by an integration that gets another name.
    if (integration.network == NetworkMode::host && (input.network || input.name))
        return may_use_host_network(granted_to(config.grants, integration.name), integration.name);
    return {};
}

// What a manifest and its folder become, before the store gives it an id.
struct FrozenRelease {
    Release release;
    std::vector<std::string> warnings;
};

// `host python 3.11.2`, `host sh`, `host: python 3.11.2 stands in for 3.7`: the first
// word is what the launcher is asked for.
std::string describe_runtime(const RuntimeChoice& choice) {
    if (!choice.note.empty()) return fmt::format("{}: {}", choice.runtime.id, choice.note);
    std::string text = choice.runtime.id + " " + choice.runtime.language;
    if (!choice.runtime.version.empty()) text += " " + choice.runtime.version;
    return text;
}

// Looks at the host's languages each time: releases are rare, and a language that
// was installed a minute ago counts. Thread: work.
Result<FrozenRelease> freeze(int tar_fd, const Config& config) {
    auto stored = store_release(tar_fd, config.releases_dir);
    if (!stored) return pass_on(stored);
    if (std::filesystem::is_directory(stored->dir / "PANDIUM.yaml"))
        return fail_at(FailureKind::unprocessable, "body",
                       "PANDIUM.yaml is a folder; it must be a file");
    auto text = read_file(stored->dir / "PANDIUM.yaml", limits::kManifestBytes);
    if (!text) {
        if (text.error().kind == FailureKind::over_limit)
            return fail_at(FailureKind::unprocessable, "body",
                           "PANDIUM.yaml is larger than {} bytes; keep data in files of its own",
                           limits::kManifestBytes);
        if (text.error().kind != FailureKind::not_found) return pass_on(text);
        return fail_at(
            FailureKind::unprocessable, "body",
            "the folder has no PANDIUM.yaml at its top; upload the folder that holds it");
    }
    auto manifest = read_manifest(*text);
    if (!manifest)
        return fail_at(FailureKind::unprocessable, "body", "{}", manifest.error().message);
    auto runtime =
        resolve_runtime(host_runtimes(), manifest->base,
                        config.allow_near_runtime ? NearMatch::allow : NearMatch::refuse);
    if (!runtime) return fail_at(FailureKind::unprocessable, "body", "{}", runtime.error().message);

    FrozenRelease frozen;
    frozen.warnings = std::move(manifest->warnings);
    Release& release = frozen.release;
    release.config_version = manifest->version;
    release.base = manifest->base.written;
    release.runtime = describe_runtime(*runtime);
    release.build_command = manifest->build;
    release.run_command = manifest->run;
    release.config_schema = manifest->config_schema;
    release.ui_schema = manifest->ui_schema;
    release.metadata_schema = manifest->metadata_schema;
    release.content_hash = stored->hash;
    return frozen;
}

}  // namespace

void ApiImpl::list_integrations(Page page, bool archived, Done<std::vector<Integration>> done) {
    parts_.store.read(
        [page, archived](Db& db) { return berth::list_integrations(db, archived, page); },
        std::move(done));
}

void ApiImpl::get_integration(IntegrationId id, Done<Integration> done) {
    parts_.store.read([id](Db& db) { return berth::get_integration(db, id); }, std::move(done));
}

void ApiImpl::create_integration(Caller who, IntegrationInput input, Done<Integration> done) {
    parts_.store.write(
        [by = by(who), &config = parts_.config,
         input = std::move(input)](Db& db) -> Result<Integration> {
            Integration wanted;
            auto applied = apply(input, config, wanted);
            if (!applied) return pass_on(applied);
            if (wanted.long_name.empty()) wanted.long_name = wanted.name;
            wanted.connectors = input.connectors.value_or(std::vector<IntegrationConnector>{});
            return berth::create_integration(db, by, wanted);
        },
        std::move(done));
}

void ApiImpl::change_integration(Caller who, IntegrationId id, IntegrationInput input,
                                 Done<Integration> done) {
    parts_.store.write(
        [by = by(who), id, &config = parts_.config,
         input = std::move(input)](Db& db) -> Result<Integration> {
            auto integration = berth::get_integration(db, id);
            if (!integration) return integration;
            auto applied = apply(input, config, *integration);
            if (!applied) return pass_on(applied);
            for (const auto& connector :
                 input.connectors.value_or(std::vector<IntegrationConnector>{}))
                if (auto attached = berth::attach_connector(db, by, id, connector); !attached)
                    return pass_on(attached);
            auto changed = update_integration(db, by, *integration);
            if (changed && (input.paused || input.archived)) look_at_schedules(db, id, by.now);
            return changed;
        },
        [this, done = std::move(done)](Result<Integration> changed) mutable {
            if (changed) parts_.engine.kick();  // it may have been paused until now
            if (changed) parts_.schedules.kick();
            done(std::move(changed));
        });
}

void ApiImpl::list_releases(IntegrationId id, Done<std::vector<Release>> done) {
    parts_.store.read(
        [id](Db& db) -> Result<std::vector<Release>> {
            auto integration = berth::get_integration(db, id);
            if (!integration) return pass_on(integration);
            return berth::list_releases(db, id);
        },
        std::move(done));
}

void ApiImpl::get_release(IntegrationId id, ReleaseId release, Done<Release> done) {
    parts_.store.read([id, release](Db& db) { return get_release_of(db, id, release); },
                      std::move(done));
}

void ApiImpl::default_release(IntegrationId id, Done<Release> done) {
    parts_.store.read([id](Db& db) { return berth::default_release(db, id); }, std::move(done));
}

void ApiImpl::latest_release(IntegrationId id, Done<Release> done) {
    parts_.store.read([id](Db& db) { return berth::latest_release(db, id); }, std::move(done));
}

void ApiImpl::create_release(Caller who, IntegrationId id, ReleaseUpload upload,
                             Done<Release> done) {
    struct Upload {
        By by;
        ReleaseUpload upload;
        Done<Release> done;
        Result<FrozenRelease> frozen = fail(FailureKind::unavailable, "not frozen yet");
    };
    auto job = std::make_shared<Upload>();
    job->by = by(who);
    job->upload = std::move(upload);
    job->done = std::move(done);
    // The integration is looked for first: nothing is unpacked for one that is not there.
    get_integration(id, [this, id, job](Result<Integration> integration) {
        if (!integration) return job->done(pass_on(integration));
        parts_.work.run([this, id, job] {
            try {
                job->frozen = freeze(job->upload.tar.get(), parts_.config);
            } catch (const std::exception& error) {  // the boundary of this request
                job->frozen =
                    fail(FailureKind::unavailable, "cannot store the release: {}", error.what());
            }
            parts_.loop.post([this, id, job] {
                if (!job->frozen) return job->done(pass_on(job->frozen));
                Release& release = job->frozen->release;
                release.integration_id = id;
                release.tag = job->upload.tag;
                release.name = job->upload.name.empty() ? release.content_hash.substr(0, 12)
                                                        : job->upload.name;
                parts_.store.write(
                    [by = job->by, id, release,
                     as_default = job->upload.make_default](Db& db) -> Result<Release> {
                        auto made = berth::create_release(db, by, release);
                        if (!made || !as_default) return made;
                        auto set = set_default_release(db, by, id, made->id);
                        if (!set) return pass_on(set);
                        return made;
                    },
                    [job](Result<Release> made) { job->done(std::move(made)); });
            });
        });
    });
}

}  // namespace berth
