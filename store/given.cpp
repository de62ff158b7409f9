#include "store/given.h"

#include <algorithm>

#include "base/crypto.h"
#include "base/text.h"
#include "store/sql.h"

namespace berth {
namespace {

std::int64_t take_text(Db& db, TenantId tenant, const std::string& text) {
    return db
        .must(
            "insert into given_texts (tenant_id, hash, text, uses) values ($1, $2, $3, 1)"
            " on conflict (tenant_id, hash) do update set uses = given_texts.uses + 1"
            " returning id",
            {tenant, to_hex(sha256(text)), text})
        .integer(0);
}

void let_go(Db& db, std::optional<std::int64_t> text) {
    if (!text) return;
    if (db.exec("delete from given_texts where id = $1 and uses = 1", {*text}) == 0)
        db.exec("update given_texts set uses = uses - 1 where id = $1", {*text});
}

// `succeeded 1800000000000000 1800000001000000`, a line end, and what it printed, which
// can be any bytes.
std::string run_text(const Run& run) {
    const auto time = [](const std::optional<Time>& at) {
        return at ? std::to_string(to_micros(*at)) : std::string{"-"};
    };
    return fmt::format("{} {} {}\n{}", to_string(run.state), time(run.started), time(run.completed),
                       run.std_out);
}

Run read_run_text(const std::string& text) {
    const auto end = std::min(text.find('\n'), text.size());
    const auto words = split(std::string_view{text}.substr(0, end), ' ');
    const auto state = words.size() == 3 ? parse_run_state(words[0]) : std::nullopt;
    if (!state)
        throw StoreError{StoreError::Kind::corrupt, "what a run was given cannot be read back"};
    const auto time = [](const std::string& word) -> std::optional<Time> {
        const auto micros = to_number<std::int64_t>(word);
        if (!micros) return {};
        return time_from_micros(*micros);
    };
    Run run;
    run.state = *state;
    run.started = time(words[1]);
    run.completed = time(words[2]);
    if (end < text.size()) run.std_out = text.substr(end + 1);
    return run;
}

std::optional<std::string> text_of(Db& db, std::optional<std::int64_t> id) {
    if (!id) return {};
    return db.must("select text from given_texts where id = $1", {*id}).text(0);
}

struct Texts {
    std::optional<std::int64_t> configs, metadata, last_run, last_successful_run;
};

std::optional<Texts> texts_of(Db& db, RunId run) {
    const auto row = db.one(
        "select configs, metadata, last_run, last_successful_run from given where run_id = $1",
        {run});
    if (!row) return {};
    Columns c{*row};
    const auto id = [](Columns& column) { return column.integer(); };
    Texts texts;
    texts.configs = c.maybe(id);
    texts.metadata = c.maybe(id);
    texts.last_run = c.maybe(id);
    texts.last_successful_run = c.maybe(id);
    return texts;
}

}  // namespace

void keep_given(Db& db, const Run& run, const Given& given) {
    const auto take = [&](const std::optional<std::string>& text) -> std::optional<std::int64_t> {
        if (!text) return {};
        return take_text(db, run.tenant_id, *text);
    };
    const auto take_run = [&](const std::optional<Run>& last) -> std::optional<std::int64_t> {
        if (!last) return {};
        return take_text(db, run.tenant_id, run_text(*last));
    };
    // Taken before the old ones are let go: most are the same.
    const auto configs = take_text(db, run.tenant_id, given.configs);
    const auto metadata = take(given.metadata);
    const auto last = take_run(given.last_run);
    const auto successful = take_run(given.last_successful_run);
    forget_given(db, run.id);
    db.exec(
        "insert into given (run_id, tenant_id, configs, metadata, last_run, last_successful_run)"
        " values ($1, $2, $3, $4, $5, $6)",
        {run.id, run.tenant_id, configs, metadata, last, successful});
}

Result<Given> get_given(Db& db, RunId run) {
    const auto texts = texts_of(db, run);
    if (!texts)
        return fail(FailureKind::not_found, "it is not kept what run '{}' was given", run.value);
    Given given;
    given.configs = text_of(db, texts->configs).value();
    given.metadata = text_of(db, texts->metadata);
    if (const auto text = text_of(db, texts->last_run)) given.last_run = read_run_text(*text);
    if (const auto text = text_of(db, texts->last_successful_run))
        given.last_successful_run = read_run_text(*text);
    return given;
}

void forget_given(Db& db, RunId run) {
    const auto texts = texts_of(db, run);
    if (!texts) return;
    db.exec("delete from given where run_id = $1", {run});
    for (const auto& id :
         {texts->configs, texts->metadata, texts->last_run, texts->last_successful_run})
        let_go(db, id);
}

}  // namespace berth
