// Stores of earlier releases, and a process that is killed while it brings one up to date.
#include "store/migrate.h"

#include <sys/wait.h>
#include <unistd.h>

#include <iostream>
#include <utility>

#include "base/text.h"
#include "tests/store/support.h"

using namespace berth;
using namespace berth::test;

namespace {

// A store as the program left it that knew only the first `count` migrations, with a row.
void make_old(const std::filesystem::path& dir, std::size_t count) {
    const auto db = connect_again(dir);
    must(migrate(*db, "berth.db", kNow, migrations().first(count)));
    db->exec(
        "insert into integrations (name, long_name, type, repository_url, repository_path,"
        " repository_tracking_branch, network, on_lost, wall_time_seconds, memory_bytes, archived,"
        " paused, created, modified) values ('old', '', '', '', '', '', 'egress', 'fail', 600,"
        " 1000000, 0, 1, 7, 8)",
        {});
}

// All that the schema is, in one text.
std::string schema_of(Db& db) {
    std::string text;
    for (const Row& row :
         db.query("select type, name, coalesce(sql, '') from sqlite_schema order by type, name"))
        text += row.text(0) + " " + row.text(1) + ": " + row.text(2) + "\n";
    return text;
}

std::string whole_schema() {
    TestDb fresh = make_db();
    return schema_of(fresh);
}

void check_is_up_to_date(const std::filesystem::path& dir, const std::string& schema) {
    const auto db = connect_again(dir);
    must(migrate(*db, "berth.db", kNow));
    CHECK(schema_of(*db) == schema);
    CHECK(db->must("pragma integrity_check").text(0) == "ok");
    CHECK_FALSE(db->one("pragma foreign_key_check"));
    const auto row = db->must("select name, wall_time_seconds, paused, created from integrations");
    CHECK(row.text(0) == "old");
    CHECK(row.integer(1) == 600);
    CHECK(row.integer(2) == 1);
    CHECK(row.integer(3) == 7);
}

// Each ends at a ';' at the end of a line, but for a comment.
std::vector<std::string> statements_of(const Migration& step) {
    std::vector<std::string> statements;
    std::string statement;
    for (const std::string& line : split(step.sql, '\n')) {
        statement += line + "\n";
        if (!trim(std::string_view{line}.substr(0, line.find("--"))).ends_with(';')) continue;
        statements.push_back(std::exchange(statement, {}));
    }
    return statements;
}

// In a process of its own, which is gone in the middle of it: nobody rolls anything back.
void die_behind(const std::filesystem::path& dir, const std::vector<std::string>& statements,
                std::size_t count) {
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        const auto db = connect_again(dir);
        db->begin_write();
        for (std::size_t i = 0; i < count; ++i)
            db->exec_script(statements[i]);
        ::_exit(0);
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    REQUIRE((WIFEXITED(status) && WEXITSTATUS(status) == 0));
}

}  // namespace

TEST_CASE("a store of each earlier release comes to the schema of this one, with its rows",
          "[store]") {
    const std::string schema = whole_schema();
    for (std::size_t known = 1; known <= migrations().size(); ++known) {
        INFO("a store with " << known << " migrations");
        const TempDir dir{"berth-old"};
        make_old(dir.path(), known);
        check_is_up_to_date(dir.path(), schema);
    }
}

TEST_CASE("whoever is killed behind any statement of any migration, the next start does it anew",
          "[store]") {
    const std::string schema = whole_schema();
    std::size_t kills = 0;
    for (std::size_t known = 1; known < migrations().size(); ++known) {
        const Migration& step = migrations()[known];
        const auto statements = statements_of(step);
        INFO(step.name);
        REQUIRE_FALSE(statements.empty());
        const TempDir dir{"berth-killed"};
        make_old(dir.path(), known);
        const std::string before = schema_of(*connect_again(dir.path()));
        for (std::size_t count = 1; count <= statements.size(); ++count, ++kills) {
            INFO("killed behind statement " << count << ": " << statements[count - 1]);
            die_behind(dir.path(), statements, count);
            REQUIRE(schema_of(*connect_again(dir.path())) == before);
        }
        check_is_up_to_date(dir.path(), schema);
    }
    std::cout << kills << " kills\n";
}
