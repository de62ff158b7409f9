#include "store/db_sqlite.h"

#include <sqlite3.h>

#include <functional>
#include <unordered_map>
#include <utility>

#include "base/assert.h"
#include "base/cptr.h"
#include "base/overloaded.h"
#include "model/limits.h"
#include "store/memory.h"
#include "store/page_sums.h"

namespace berth {
namespace {

using Statement = CPtr<sqlite3_stmt, sqlite3_finalize>;

StoreError::Kind kind_of(int code) {
    // The shared memory of the write-ahead log could not grow; nothing was written.
    if (code == SQLITE_IOERR_SHMSIZE) return StoreError::Kind::full;
    if (code == kDamagedPage) return StoreError::Kind::damaged;
    switch (code & 0xff) {
        case SQLITE_FULL: return StoreError::Kind::full;
        case SQLITE_BUSY:
        case SQLITE_LOCKED: return StoreError::Kind::busy;
        case SQLITE_CORRUPT:
        case SQLITE_NOTADB: return StoreError::Kind::corrupt;
        case SQLITE_IOERR:
        case SQLITE_CANTOPEN: return StoreError::Kind::io;
        default: return StoreError::Kind::other;
    }
}

[[noreturn]] void raise(sqlite3* db, std::string_view doing) {
    const int code = sqlite3_extended_errcode(db);
    std::uint32_t page = 0;
    if (code == kDamagedPage &&
        sqlite3_file_control(db, "main", kLastDamagedPage, &page) == SQLITE_OK)
        throw StoreError{StoreError::Kind::damaged,
                         damaged_page(page, sqlite3_db_filename(db, "main"))};
    throw StoreError{kind_of(code), fmt::format("{}: {} ({})", doing, sqlite3_errmsg(db), code)};
}

std::string first_words(std::string_view sql) {
    return fmt::format("running '{}'", sql.substr(0, 60));
}

// A statement that is kept, and where its parameters are.
struct Prepared {
    Statement statement;
    std::vector<int> places;  // of $1, $2, ...
};

// `$1` is a name to SQLite; its index follows the order of appearance.
std::vector<int> places_of(sqlite3_stmt* statement) {
    std::vector<int> places;
    const int count = sqlite3_bind_parameter_count(statement);
    for (int number = 1; number <= count; ++number) {
        places.push_back(
            sqlite3_bind_parameter_index(statement, fmt::format("${}", number).c_str()));
        BERTH_ASSERT(places.back() != 0);  // a parameter that the statement does not use
    }
    return places;
}

void bind(sqlite3* db, sqlite3_stmt* statement, int at, const Param& param) {
    const int rc =
        std::visit(overloaded{
                       [&](std::nullptr_t) { return sqlite3_bind_null(statement, at); },
                       [&](std::int64_t number_value) {
                           return sqlite3_bind_int64(statement, at, number_value);
                       },
                       // Not copied (SQLITE_STATIC): the caller keeps them until the call returns.
                       // A null pointer would bind NULL.
                       [&](std::string_view text) {
                           return sqlite3_bind_text64(statement, at, text.data() ? text.data() : "",
                                                      text.size(), SQLITE_STATIC, SQLITE_UTF8);
                       },
                       [&](Bytes bytes) {
                           return sqlite3_bind_blob64(statement, at,
                                                      bytes.value.data() ? bytes.value.data() : "",
                                                      bytes.value.size(), SQLITE_STATIC);
                       },
                   },
                   param.value());
    if (rc != SQLITE_OK) raise(db, "binding a parameter");
}

Row::Value column(sqlite3_stmt* statement, int at) {
    switch (sqlite3_column_type(statement, at)) {
        case SQLITE_NULL: return nullptr;
        case SQLITE_INTEGER: return std::int64_t{sqlite3_column_int64(statement, at)};
        default: {  // text and blob; STRICT tables here have no reals
            const auto* bytes = static_cast<const char*>(sqlite3_column_blob(statement, at));
            const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement, at));
            return bytes == nullptr ? std::string{} : std::string{bytes, size};
        }
    }
}

struct HashText {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const {
        return std::hash<std::string_view>{}(text);
    }
};

// Leaves a statement ready for its next use, whatever happened in this one.
class InUse {
public:
    explicit InUse(sqlite3_stmt* statement) : statement_{statement} {}
    InUse(const InUse&) = delete;
    InUse& operator=(const InUse&) = delete;
    ~InUse() {
        sqlite3_reset(statement_);
        sqlite3_clear_bindings(statement_);
    }

private:
    sqlite3_stmt* statement_;
};

}  // namespace

// Prepared statements by their text. Optional filters and sort orders make new
// texts, all from literals, so there are few; past the limit all are dropped.
struct SqliteDb::Statements {
    std::unordered_map<std::string, Prepared, HashText, std::equal_to<>> by_text;

    const Prepared& get(sqlite3* db, std::string_view sql) {
        if (const auto found = by_text.find(sql); found != by_text.end()) return found->second;
        if (by_text.size() >= limits::kPreparedStatements) by_text.clear();
        sqlite3_stmt* raw = nullptr;
        if (sqlite3_prepare_v3(db, sql.data(), static_cast<int>(sql.size()),
                               SQLITE_PREPARE_PERSISTENT, &raw, nullptr) != SQLITE_OK)
            raise(db, first_words(sql));
        Statement statement{raw};
        auto places = places_of(raw);
        return by_text.emplace(sql, Prepared{std::move(statement), std::move(places)})
            .first->second;
    }
};

SqliteDb::SqliteDb() : statements_{std::make_unique<Statements>()} {}

SqliteDb::~SqliteDb() {
    statements_.reset();
    sqlite3_close_v2(db_);
}

Result<std::unique_ptr<SqliteDb>> SqliteDb::open(const std::filesystem::path& path, Access access) {
    std::unique_ptr<SqliteDb> db{new SqliteDb};
    // Read-only connections open read-write too, since WAL needs its shared memory
    // file; query_only is what forbids them to write.
    const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE |
                      SQLITE_OPEN_NOFOLLOW |
                      (access == Access::read_write ? SQLITE_OPEN_CREATE : 0);
    const auto canonical = std::filesystem::weakly_canonical(path.parent_path()) / path.filename();
    if (sqlite3_open_v2(canonical.c_str(), &db->db_, flags, page_sums_vfs()) != SQLITE_OK)
        raise(db->db_, fmt::format("opening '{}'", path.string()));
    try {
        db->set_up(path, access);
    } catch (const StoreError& error) {
        if ((sqlite3_errcode(db->db_) & 0xff) != SQLITE_NOTADB) throw;
        return fail_at(FailureKind::invalid, path.string(),
                       "'{}' is not a Berth store: it is not a database; move it away, or name "
                       "another directory",
                       path.string());
    }
    return db;
}

void SqliteDb::set_up(const std::filesystem::path& path, Access access) {
    const auto config = [&](int option, int value) {
        int now = -1;
        if (sqlite3_db_config(db_, option, value, &now) != SQLITE_OK || now != value)
            raise(db_, "configuring the database");
    };
    config(SQLITE_DBCONFIG_DEFENSIVE, 1);
    config(SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0);
    config(SQLITE_DBCONFIG_ENABLE_TRIGGER, 0);
    config(SQLITE_DBCONFIG_ENABLE_VIEW, 0);
    config(SQLITE_DBCONFIG_DQS_DML, 0);
    config(SQLITE_DBCONFIG_DQS_DDL, 0);
    config(SQLITE_DBCONFIG_ENABLE_FKEY, 1);
    sqlite3_busy_timeout(db_, static_cast<int>(limits::kStoreBusyTime.count()));
    sqlite3_limit(db_, SQLITE_LIMIT_ATTACHED, 0);

    exec_script(
        "pragma cell_size_check=on; pragma mmap_size=0; pragma synchronous=full;"
        "pragma secure_delete=on; pragma temp_store=memory; pragma wal_autocheckpoint=0;");
    // The first read of the file: what is no database fails here. One that is being made
    // can give free pages back later, a few at a time, and has sums; said to another one
    // it would write.
    if (must("pragma page_count").integer(0) == 0) {
        int reserved = kPageSumBytes;  // first: the pragma fixes the form of pages
        sqlite3_file_control(db_, "main", SQLITE_FCNTL_RESERVE_BYTES, &reserved);
        exec_script("pragma auto_vacuum=incremental");
    }
    const auto mode = access == Access::read_write ? must("pragma journal_mode=wal").text(0)
                                                   : must("pragma journal_mode").text(0);
    if (mode != "wal")
        throw StoreError{StoreError::Kind::io,
                         fmt::format("'{}' cannot use a write-ahead log (its mode stays '{}'); is "
                                     "it on a network file system?",
                                     path.string(), mode)};
    if (access == Access::read_only) exec_script("pragma query_only=on");
    sqlite3_wal_hook(
        db_,
        [](void* self, sqlite3*, const char*, int pages) noexcept {
            static_cast<SqliteDb*>(self)->wal_pages_ = pages;
            return SQLITE_OK;
        },
        this);
}

std::int64_t SqliteDb::exec_with(std::string_view sql, Params params) {
    query_with(sql, params);
    return sqlite3_changes64(db_);
}

std::vector<Row> SqliteDb::query_with(std::string_view sql, Params params) {
    const Prepared& prepared = statements_->get(db_, sql);
    sqlite3_stmt* const statement = prepared.statement.get();
    const InUse in_use{statement};
    BERTH_ASSERT(prepared.places.size() == params.size());
    for (std::size_t i = 0; i < params.size(); ++i)
        bind(db_, statement, prepared.places[i], params[i]);

    std::vector<Row> rows;
    for (;;) {
        const int rc = sqlite3_step(statement);
        if (rc == SQLITE_DONE) return rows;
        if (rc != SQLITE_ROW) raise(db_, first_words(sql));
        std::vector<Row::Value> columns;
        const int count = sqlite3_column_count(statement);
        columns.reserve(static_cast<std::size_t>(count));
        for (int at = 0; at < count; ++at)
            columns.push_back(column(statement, at));
        rows.emplace_back(std::move(columns));
    }
}

void SqliteDb::exec_script(const std::string& sql) {
    if (sqlite3_exec(db_, sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK)
        raise(db_, first_words(sql));
}

void SqliteDb::rollback() noexcept {
    // Nothing to do when SQLite has rolled back by itself; when this fails too, the
    // next begin says so.
    if (in_transaction()) sqlite3_exec(db_, "rollback", nullptr, nullptr, nullptr);
}

void SqliteDb::rollback_to_savepoint() {
    exec("rollback to op");
    exec("release op");
}

bool SqliteDb::in_transaction() const noexcept { return sqlite3_get_autocommit(db_) == 0; }

void SqliteDb::checkpoint(Checkpoint mode) {
    const int rc = sqlite3_wal_checkpoint_v2(
        db_, nullptr,
        mode == Checkpoint::passive ? SQLITE_CHECKPOINT_PASSIVE : SQLITE_CHECKPOINT_TRUNCATE,
        nullptr, nullptr);
    // busy: a reader or another checkpoint is at it; the next one gets further.
    if (rc != SQLITE_OK && (rc & 0xff) != SQLITE_BUSY) raise(db_, "copying the log back");
    if (mode == Checkpoint::truncate && rc == SQLITE_OK) wal_pages_ = 0;
}

std::uint64_t database_memory() noexcept {
    return static_cast<std::uint64_t>(sqlite3_memory_used());
}

}  // namespace berth
