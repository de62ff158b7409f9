// The seam between the store's functions and a database: SQLite today
// (db_sqlite), PostgreSQL later. One SQL text serves both: parameters are $1,
// $2 ..., booleans are integers 0 and 1, times are microseconds, new rows come
// back through `returning`. Blocking; a Db belongs to one thread at a time.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>
#include <vector>

#include "base/clock.h"
#include "model/ids.h"

namespace berth {

// Thrown when the database itself fails. One kind per way of reacting to it.
class StoreError : public std::runtime_error {
public:
    enum class Kind {
        full,     // no space left: heals when there is some
        busy,     // somebody else held a lock for too long
        corrupt,  // what was read cannot be right
        damaged,  // a page is not what was written: who needs it is refused, others go on
        io,       // the disk or file system failed; what is on disk is known only after a restart
        other
    };
    StoreError(Kind kind, const std::string& what) : std::runtime_error{what}, kind_{kind} {}
    Kind kind() const noexcept { return kind_; }

private:
    Kind kind_;
};

// Marks text as raw bytes.
struct Bytes {
    std::string_view value;
};

// One parameter of a statement. Text and bytes are not copied: they must live
// until the call returns.
class Param {
public:
    using Value = std::variant<std::nullptr_t, std::int64_t, std::string_view, Bytes>;

    Param(std::nullptr_t) : value_{nullptr} {}
    template <typename T>
    requires std::is_integral_v<T> Param(T number) : value_{static_cast<std::int64_t>(number)} {}
    Param(std::string_view text) : value_{text} {}
    Param(const std::string& text) : value_{std::string_view{text}} {}
    Param(const char* text) : value_{std::string_view{text}} {}
    Param(Bytes bytes) : value_{bytes} {}
    Param(Time time) : value_{to_micros(time)} {}
    template <typename Tag>
    Param(Id<Tag> id) : value_{id.value} {}
    Param(const TriggerId& id) : value_{std::string_view{id.value}} {}
    template <typename T>
    Param(const std::optional<T>& maybe) : value_{maybe ? Param{*maybe}.value_ : Value{nullptr}} {}

    const Value& value() const { return value_; }

private:
    Value value_;
};

// One row of an answer, owned. The typed getters throw StoreError (corrupt) when
// a column holds something else.
class Row {
public:
    using Value = std::variant<std::nullptr_t, std::int64_t, std::string>;

    explicit Row(std::vector<Value> columns) : columns_{std::move(columns)} {}
    std::size_t size() const { return columns_.size(); }
    bool is_null(std::size_t column) const;
    bool is_integer(std::size_t column) const;
    std::int64_t integer(std::size_t column) const;
    const std::string& text(std::size_t column) const;  // text and bytes alike

private:
    const Value& at(std::size_t column) const;
    std::vector<Value> columns_;
};

// As whom a connection writes of runs (store/leases.h). No host: nobody in particular.
struct LeaseHolder {
    std::string host;
    std::string clock_name;  // leases of another clock cannot be compared
    const Clock* clock = nullptr;
};

class Db {
public:
    using Params = std::span<const Param>;
    using Literals = std::initializer_list<Param>;

    virtual ~Db() = default;

    // How many rows changed.
    virtual std::int64_t exec_with(std::string_view sql, Params params) = 0;
    virtual std::vector<Row> query_with(std::string_view sql, Params params) = 0;
    // Several statements without parameters: migrations.
    virtual void exec_script(const std::string& sql) = 0;

    virtual void begin_read() = 0;   // one snapshot for all that follows
    virtual void begin_write() = 0;  // takes the write lock at once
    virtual void commit() = 0;
    virtual void rollback() noexcept = 0;
    virtual void savepoint() = 0;
    virtual void release_savepoint() = 0;
    virtual void rollback_to_savepoint() = 0;
    // False after an error that made the database roll back by itself.
    virtual bool in_transaction() const noexcept = 0;

    void write_as(LeaseHolder holder) { holder_ = std::move(holder); }
    const LeaseHolder& holder() const { return holder_; }

    std::int64_t exec(std::string_view sql, Literals params = {}) {
        return exec_with(sql, {params.begin(), params.size()});
    }
    std::vector<Row> query(std::string_view sql, Literals params = {}) {
        return query_with(sql, {params.begin(), params.size()});
    }
    // The first row, if any.
    std::optional<Row> one(std::string_view sql, Literals params = {});
    // The first row of a statement that always has one.
    Row must(std::string_view sql, Literals params = {});

private:
    LeaseHolder holder_;
};

// One transaction; rolled back unless commit() returned.
class Tx {
public:
    enum class Mode { read, write };
    Tx(Db& db, Mode mode);
    Tx(const Tx&) = delete;
    Tx& operator=(const Tx&) = delete;
    ~Tx() {
        if (open_) db_.rollback();
    }
    void commit() {
        db_.commit();
        open_ = false;
    }

private:
    Db& db_;
    bool open_ = true;
};

}  // namespace berth
