// SQLite behind the Db seam. sqlite3.h stays in the .cpp file.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>

#include "base/error.h"
#include "store/db.h"

struct sqlite3;

namespace berth {

class SqliteDb final : public Db {
public:
    enum class Access { read_write, read_only };  // read_only: the connection refuses to write

    // Opens, or for read_write makes, the database: WAL, synchronous=FULL, and
    // SQLite's own advice for files that might be hostile. invalid when the file is
    // not a database. Throws StoreError.
    static Result<std::unique_ptr<SqliteDb>> open(const std::filesystem::path& path, Access access);
    ~SqliteDb() override;

    std::int64_t exec_with(std::string_view sql, Params params) override;
    std::vector<Row> query_with(std::string_view sql, Params params) override;
    void exec_script(const std::string& sql) override;

    void begin_read() override { exec("begin"); }
    // A plain begin would take the write lock at the first write, and fail there
    // if what was read has changed meanwhile.
    void begin_write() override { exec("begin immediate"); }
    void commit() override { exec("commit"); }
    void rollback() noexcept override;
    void savepoint() override { exec("savepoint op"); }
    void release_savepoint() override { exec("release op"); }
    void rollback_to_savepoint() override;
    bool in_transaction() const noexcept override;

    // Pages in the write-ahead log after this connection's last commit.
    int wal_pages() const noexcept { return wal_pages_; }
    enum class Checkpoint { passive, truncate };
    // Copies the write-ahead log back. passive waits for nobody; truncate waits
    // for readers (busy time-out) and empties the file.
    void checkpoint(Checkpoint mode);

private:
    struct Statements;
    SqliteDb();
    void set_up(const std::filesystem::path& path, Access access);

    sqlite3* db_ = nullptr;
    std::unique_ptr<Statements> statements_;
    int wal_pages_ = 0;
};

}  // namespace berth
