// A value that must never be printed, copied by accident or left in memory.
#pragma once

#include <cstddef>
#include <memory>
#include <string_view>
#include <utility>

namespace berth {

// Owns bytes in locked, no-dump pages (OPENSSL_secure_malloc when the program
// has set them up with lock_secret_memory, else plain memory), cleansed before
// they are freed. No copy, no formatter, no operator==, on purpose: what would
// print one does not compile.
class Secret {
public:
    Secret() noexcept = default;
    explicit Secret(std::string_view bytes);
    static Secret of_size(std::size_t size);  // zeroed, to be filled through data()
    Secret(Secret&& other) noexcept
        : bytes_{std::move(other.bytes_)}, size_{std::exchange(other.size_, 0)} {}
    Secret& operator=(Secret&& other) noexcept {
        bytes_ = std::move(other.bytes_);
        size_ = std::exchange(other.size_, 0);
        return *this;
    }

    std::size_t size() const noexcept { return size_; }
    bool empty() const noexcept { return size_ == 0; }
    unsigned char* data() noexcept { return bytes_.get(); }
    const unsigned char* data() const noexcept { return bytes_.get(); }
    // The plaintext, named so that a search finds every place that looks.
    std::string_view reveal() const noexcept {
        return {reinterpret_cast<const char*>(bytes_.get()), size_};
    }

private:
    struct Cleanse {
        Cleanse() noexcept : size{0} {}
        explicit Cleanse(std::size_t bytes) noexcept : size{bytes} {}
        std::size_t size;
        void operator()(unsigned char* bytes) const noexcept;
    };
    std::unique_ptr<unsigned char[], Cleanse> bytes_;
    std::size_t size_ = 0;
};

enum class SecretMemory { locked, unlocked };
// Sets up `bytes` of locked memory for Secret. Called once by main(), before any
// Secret is made. `unlocked` when RLIMIT_MEMLOCK forbids it; the caller reports it.
SecretMemory lock_secret_memory(std::size_t bytes);

// Overwrites memory that held a secret and is about to be freed.
void cleanse(void* memory, std::size_t size) noexcept;

}  // namespace berth
