// Bytes ↔ structs for the messages between berthd and berth-runner. A message is
// a struct with `template <class V> void fields(V& v) { v(a, b, c); }`: one list
// of fields serves writing and reading. Little-endian fixed-width numbers,
// length-prefixed strings and lists. A reader never trusts a length.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "base/secret.h"

namespace berth::ipc {

static_assert(std::endian::native == std::endian::little);

class Writer {
public:
    template <typename... Ts>
    void operator()(const Ts&... values) {
        (put(values), ...);
    }
    std::string take() { return std::move(out_); }

private:
    template <typename T>
    void put(const T& value) {
        if constexpr (std::is_same_v<T, bool>) {
            put_raw<std::uint8_t>(value ? 1 : 0);
        } else if constexpr (std::is_enum_v<T>) {
            put_raw(static_cast<std::uint32_t>(value));
        } else if constexpr (std::is_arithmetic_v<T>) {
            put_raw(value);
        } else if constexpr (std::is_same_v<T, std::string>) {
            put_bytes(value);
        } else if constexpr (std::is_same_v<T, Secret>) {
            put_bytes(value.reveal());
        } else {
            const_cast<T&>(value).fields(*this);  // one list of fields for both directions
        }
    }
    template <typename T>
    void put(const std::vector<T>& list) {
        put_raw(static_cast<std::uint32_t>(list.size()));
        for (const T& item : list)
            put(item);
    }
    void put_bytes(std::string_view bytes) {
        put_raw(static_cast<std::uint32_t>(bytes.size()));
        out_ += bytes;
    }
    template <typename T>
    void put_raw(T value) {
        char raw[sizeof value];
        std::memcpy(raw, &value, sizeof value);
        out_.append(raw, sizeof raw);
    }

    std::string out_;
};

class Reader {
public:
    explicit Reader(std::string_view bytes) : rest_{bytes} {}

    template <typename... Ts>
    void operator()(Ts&... values) {
        (get(values), ...);
    }
    // Everything was there, and nothing is left over.
    bool complete() const { return !failed_ && rest_.empty(); }

private:
    template <typename T>
    void get(T& value) {
        if constexpr (std::is_same_v<T, bool>) {
            std::uint8_t raw = 0;
            get_raw(raw);
            if (raw > 1) failed_ = true;
            value = raw == 1;
        } else if constexpr (std::is_enum_v<T>) {
            std::uint32_t raw = 0;
            get_raw(raw);
            value = static_cast<T>(raw);  // whoever switches over it checks the value
        } else if constexpr (std::is_arithmetic_v<T>) {
            get_raw(value);
        } else if constexpr (std::is_same_v<T, std::string>) {
            value = std::string{get_bytes()};
        } else if constexpr (std::is_same_v<T, Secret>) {
            value = Secret{get_bytes()};
        } else {
            value.fields(*this);
        }
    }
    template <typename T>
    void get(std::vector<T>& list) {
        std::uint32_t count = 0;
        get_raw(count);
        // No reserve(count): a hostile length must not allocate. Each item takes a byte or more.
        for (std::uint32_t i = 0; i < count && !failed_; ++i) {
            if (rest_.empty()) failed_ = true;
            get(list.emplace_back());
        }
    }
    std::string_view get_bytes() {
        std::uint32_t size = 0;
        get_raw(size);
        if (failed_ || size > rest_.size()) {
            failed_ = true;
            return {};
        }
        const auto bytes = rest_.substr(0, size);
        rest_.remove_prefix(size);
        return bytes;
    }
    template <typename T>
    void get_raw(T& value) {
        if (failed_ || rest_.size() < sizeof value) {
            failed_ = true;
            value = T{};
            return;
        }
        std::memcpy(&value, rest_.data(), sizeof value);
        rest_.remove_prefix(sizeof value);
    }

    std::string_view rest_;
    bool failed_ = false;
};

template <typename Message>
std::string encode(const Message& message) {
    Writer writer;
    writer(message);
    return writer.take();
}

// Nothing when the bytes are not exactly one such message.
template <typename Message>
std::optional<Message> decode(std::string_view bytes) {
    Message message;
    Reader reader{bytes};
    reader(message);
    if (!reader.complete()) return {};
    return message;
}

}  // namespace berth::ipc
