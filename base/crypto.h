// Small uses of OpenSSL that know nothing of the product. What seals and opens
// secrets is in vault/.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/cptr.h"

// Of OpenSSL, named here so that its headers stay in crypto.cpp.
struct evp_md_ctx_st;
extern "C" void EVP_MD_CTX_free(evp_md_ctx_st* context);

namespace berth {

// From the kernel's generator (getrandom(2)); throws SystemError.
std::string random_bytes(std::size_t count);
// 128 random bits as 32 hex digits: trigger ids and object ids.
std::string random_id();
std::string sha256(std::string_view bytes);                               // 32 raw bytes
std::string hmac_sha256(std::string_view key, std::string_view message);  // 32 raw bytes

// SHA-256 of what comes piece by piece.
class Sha256 {
public:
    Sha256();
    void add(std::string_view bytes);
    std::string finish();  // 32 raw bytes; once

private:
    CPtr<evp_md_ctx_st, EVP_MD_CTX_free> context_;
};

// Compares without telling by its timing where the two differ.
bool equal_constant_time(std::string_view a, std::string_view b);

}  // namespace berth
