// A write of fields on its way, for the files that make one.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/connections.h"
#include "store/secrets.h"

namespace berth {

// What is stored, and how.
struct Connections::Order {
    std::string actor;
    std::function<Result<SecretReservation>(Db&, const By&)> reserve;
    std::function<Result<Connection>(Db&, const By&, const SecretReservation&,
                                     std::vector<SealedField>)>
        write;
    TypedFields secrets;  // by the names they are sealed under
    Done<Connection> done;
    int tries = 0;
};

inline tl::unexpected<Failure> no_kind(std::string_view connector, std::string_view kind) {
    return fail(FailureKind::unavailable,
                "connector '{}' is of kind '{}', which is not there; 'berth doctor' says why",
                connector, kind);
}

}  // namespace berth
