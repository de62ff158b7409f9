#include "tests/faults/operations.h"

#include "base/assert.h"

namespace berth::test {

std::size_t Dice::below(std::size_t limit) {
    return std::uniform_int_distribution<std::size_t>{0, limit - 1}(random);
}

std::string Dice::hex(std::size_t digits) {
    std::string text;
    while (text.size() < digits)
        text += "0123456789abcdef"[below(16)];
    return text;
}

std::string Dice::envelope() { return "BE" + hex(8) + hex(96 + 16); }

std::int64_t Dice::any(Db& db, const std::string& table, const std::string& column) {
    const auto last = db.one("select max(rowid), count(*) from " + table);
    if (!last || last->integer(1) == 0) return 0;
    const auto from =
        static_cast<std::int64_t>(below(static_cast<std::size_t>(last->integer(0)) + 1));
    return db
        .must("select " + column + " from " + table + " where rowid >= $1 order by rowid limit 1",
              {from})
        .integer(0);
}

Result<void> at_most(Db& db, const std::string& table, std::int64_t rows) {
    if (db.must("select count(*) from " + table).integer(0) < rows) return {};
    return fail(FailureKind::over_limit, "enough {}", table);
}

std::span<const Operation> operations() {
    static const std::vector<Operation> kAll = [] {
        std::vector<Operation> all;
        for (auto part : {catalog_operations(), tenant_operations(), run_operations(),
                          schedule_operations(), lease_operations(), vault_operations(),
                          connection_operations(), oauth_operations(), webhook_operations()})
            for (Operation& operation : part)
                all.push_back(std::move(operation));
        return all;
    }();
    return kAll;
}

const Operation& any_operation(Dice& dice) {
    static const int kSum = [] {
        int sum = 0;
        for (const Operation& operation : operations())
            sum += operation.weight;
        return sum;
    }();
    int left = static_cast<int>(dice.below(static_cast<std::size_t>(kSum)));
    for (const Operation& operation : operations()) {
        left -= operation.weight;
        if (left < 0) return operation;
    }
    BERTH_ASSERT(false);
}

}  // namespace berth::test
