#include "store/log_chunks.h"

#include <zstd.h>

#include <optional>

#include "model/limits.h"
#include "store/sql.h"

namespace berth {

const char* const kLogSchema =
    "create table if not exists chunks ("
    " run_id integer not null, seq integer not null, time integer not null,"
    " stream text not null, zstd integer not null, bytes blob not null,"
    " primary key (run_id, seq)) strict";

namespace {

constexpr int kLevel = 1;             // the fastest: the writer keeps up with the pipes
constexpr std::size_t kWorthIt = 64;  // bytes; smaller chunks are kept as they are

// The chunk's bytes as they are stored; nothing when compression does not pay.
std::optional<std::string> compress(std::string_view bytes) {
    if (bytes.size() < kWorthIt) return {};
    std::string packed(ZSTD_compressBound(bytes.size()), '\0');
    const std::size_t size =
        ZSTD_compress(packed.data(), packed.size(), bytes.data(), bytes.size(), kLevel);
    if (ZSTD_isError(size) || size >= bytes.size()) return {};
    packed.resize(size);
    return packed;
}

std::string decompress(std::string_view packed) {
    const auto size = ZSTD_getFrameContentSize(packed.data(), packed.size());
    if (size > limits::kMessageBytes)  // also the two values that mean an error
        throw StoreError{StoreError::Kind::corrupt, "a log chunk has no sensible size"};
    std::string bytes(size, '\0');
    const std::size_t got =
        ZSTD_decompress(bytes.data(), bytes.size(), packed.data(), packed.size());
    if (ZSTD_isError(got) || got != size)
        throw StoreError{StoreError::Kind::corrupt, "a log chunk cannot be unpacked"};
    return bytes;
}

LogChunk read_chunk(RunId run, const Row& row) {
    Columns c{row};
    LogChunk chunk;
    chunk.run_id = run;
    chunk.seq = static_cast<std::uint64_t>(c.integer());
    chunk.time = c.time();
    chunk.stream = c.word(parse_output_stream);
    const bool packed = c.flag();
    chunk.bytes = c.text();
    if (packed) chunk.bytes = decompress(chunk.bytes);
    return chunk;
}

}  // namespace

void write_chunk(Db& db, const LogChunk& chunk) {
    const auto packed = compress(chunk.bytes);
    db.exec(
        "insert into chunks (run_id, seq, time, stream, zstd, bytes)"
        " values ($1, $2, $3, $4, $5, $6) on conflict do nothing",
        {chunk.run_id, chunk.seq, chunk.time, to_string(chunk.stream), packed.has_value(),
         Bytes{packed ? *packed : chunk.bytes}});
}

std::vector<LogChunk> read_chunks(Db& db, const LogStore::Range& range) {
    ListQuery query{"select seq, time, stream, zstd, bytes from chunks"};
    query.where("run_id =", range.run);
    query.where("seq >", range.after);
    if (range.stream) query.where("stream =", to_string(*range.stream));
    query.first("seq", range.limit);
    return read_rows(query.run(db), [&](const Row& row) { return read_chunk(range.run, row); });
}

}  // namespace berth
