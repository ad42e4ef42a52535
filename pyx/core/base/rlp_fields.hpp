// A record as one list of named fields, written once and used in both directions: `RlpFieldReader` fills the fields,
// `RlpFieldWriter` appends them. Depends on rlp. The first error sticks, with the name of its field; later calls do nothing.
#pragma once

#include "rlp.hpp"

namespace evmcore {

class RlpFieldReader {
public:
    explicit RlpFieldReader(RlpReader items) noexcept : items_{items} {}

    Status status() const noexcept { return status_; }
    const char* field() const noexcept { return field_; }
    bool ok() const noexcept { return status_ == Status::SUCCESS; }

    void number(const char* name, uint64_t& out) noexcept {
        if (ok())
            note(name, items_.next_u64(&out));
    }
    void number(const char* name, u256& out) noexcept {
        if (ok())
            note(name, items_.next_u256(&out));
    }
    void fixed(const char* name, Address& out) noexcept {
        if (ok())
            note(name, items_.next_fixed(out.bytes, 20));
    }
    ByteView string(const char* name) noexcept {
        ByteView out;
        if (ok())
            note(name, items_.next_string(&out));
        return out;
    }
    void bytes(const char* name, Bytes& out) noexcept {
        const ByteView view = string(name);
        if (ok() && !out.assign(view.data, view.size))
            note(name, Status::OUT_OF_MEMORY);
    }
    // A list inside the record: walk it with the reader that comes back, empty after an error.
    RlpReader list(const char* name) noexcept {
        RlpReader out;
        if (ok())
            note(name, items_.next_list(&out));
        return out;
    }
    // Keeps the first status that is not SUCCESS.
    void note(const char* name, Status status) noexcept {
        if (ok() && status != Status::SUCCESS) {
            status_ = status;
            field_ = name;
        }
    }
    void note(const RlpFieldReader& inner) noexcept { note(inner.field_, inner.status_); }
    // The record ends here.
    void finish(const char* record_name) noexcept {
        if (ok())
            note(record_name, items_.finish());
    }

private:
    RlpReader items_;
    Status status_ = Status::SUCCESS;
    const char* field_ = nullptr;
};

class RlpFieldWriter {
public:
    explicit RlpFieldWriter(Bytes* out) noexcept : writer_{out} {}

    RlpWriter& writer() noexcept { return writer_; }
    void number(const char*, uint64_t x) noexcept { writer_.number(x); }
    void number(const char*, const u256& x) noexcept { writer_.number(x); }
    void fixed(const char*, const Address& x) noexcept { writer_.fixed(x); }
    void bytes(const char*, const Bytes& x) noexcept { writer_.string(x.data(), x.size()); }

private:
    RlpWriter writer_;
};

}  // namespace evmcore
